"""The servers that are attacked: one of a small model, and one that holds it as one of many."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import tiny_models
from tests.benchmarks.watched_server import Watched, of_process
from tests.platform.serving import running, start_server

_PLACES = {"SERVE_MAX_IN_FLIGHT": "64"}
"""Enough, so that a 503 would be a fault and not overload."""


@contextmanager
def of_one_model(tree: Path) -> Iterator[Watched]:
    """Serve a small model from `tree`, an empty folder."""
    tiny_models.write(tree / "model", "tiny")
    with running(start_server(tree, **_PLACES)) as server:
        yield of_process(server)


@contextmanager
def of_many_models(tree: Path) -> Iterator[Watched]:
    """Serve the same model as one of many, loaded under the name `good`."""
    tiny_models.write(tree / "good", "tiny")
    with running(start_server(tree, SAGEMAKER_MULTI_MODEL="true", **_PLACES)) as server:
        wanted = json.dumps({"model_name": "good", "url": str(tree / "good")})
        loaded = server.ask("/models", wanted, Content_Type="application/json")
        assert loaded.status == 200, loaded.body
        yield of_process(server, "/models/good/invoke")
