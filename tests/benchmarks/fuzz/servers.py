"""The servers under attack: one with a small model, and a multi-model server."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from image_classifier.contract import imaging_versions
from tests.benchmarks.fuzz.slow_clients import SERVER_SECONDS
from tests.benchmarks.watched_server import Watched, of_process
from tests.platform.serving import running, start_server
from tests.support import tiny_models

Serving = Callable[[Path], AbstractContextManager[Watched]]
"""Serves from a folder that it is given empty."""
MAX_PIXELS = 1_000_000
"""Of a request: few, so that what an input costs beyond its pixels is seen."""
_SETTINGS = {
    # Enough, so that a 503 would be a fault and not overload.
    "SERVE_MAX_IN_FLIGHT": "64",
    "SERVE_MAX_PIXELS": f"{MAX_PIXELS}",
    "SERVE_MAX_REQUEST_PIXELS": f"{MAX_PIXELS}",
}


def _patience(seconds: int) -> dict[str, str]:
    return dict.fromkeys(("SERVE_HEADER_SECONDS", "SERVE_BODY_SECONDS"), f"{seconds}")


@contextmanager
def of_one_model(tree: Path, seconds: int = SERVER_SECONDS) -> Iterator[Watched]:
    """Serve a small model from `tree`, an empty folder; its pixels come from the newest version of `imaging`.

    `seconds`: how long it waits for a slow client.
    """
    tiny_models.write(tree / "model", "tiny", imaging_version=imaging_versions.VERSIONS[-1])
    with running(start_server(tree, **_SETTINGS, **_patience(seconds))) as server:
        yield of_process(server)


@contextmanager
def of_many_models(tree: Path) -> Iterator[Watched]:
    """Serve such a model as one of many, loaded under the name `good`; its pixels come from the oldest version."""
    tiny_models.write(tree / "good", "tiny")
    with running(start_server(tree, SAGEMAKER_MULTI_MODEL="true", **_SETTINGS, **_patience(SERVER_SECONDS))) as server:
        wanted = json.dumps({"model_name": "good", "url": str(tree / "good")})
        loaded = server.ask("/models", wanted, Content_Type="application/json")
        assert loaded.status == 200, loaded.body
        yield of_process(server, "/models/good/invoke")
