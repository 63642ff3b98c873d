"""What the process tests share: a small backbone as the `model` channel carries it, models, and servers of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.platform import backbones, sample_images
from tests.platform.serving import Server, start_server
from tests.platform.training_process import FinishedJob, finish_job
from tests.support.made_once import made_once
from tests.unit.inference import colours


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a staged backbone of 32 x 40 pixels."""
    return made_once(tmp_path_factory, "tiny-backbone", backbones.save_tiny) / "tiny.tar.gz"


@pytest.fixture(scope="session")
def finished_job(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> FinishedJob:
    """A job that trained a head on the tiny backbone; to be left as it is."""
    return FinishedJob(made_once(tmp_path_factory, "finished-job", lambda folder: finish_job(folder, tiny_backbone)))


@pytest.fixture(scope="session")
def colour_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier of colours in several forms, a folder each, with an OpenVINO IR where its name ends so."""
    return made_once(tmp_path_factory, "colour-models", lambda folder: colours.all_forms(tmp_path_factory, folder))


@pytest.fixture(scope="session")
def green_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that is green on its left half, in a file."""
    path = tmp_path_factory.mktemp("images") / "green.png"
    path.write_bytes(sample_images.encode(sample_images.plain(), "PNG"))
    return path


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Start servers that are gone after the test."""
    started: list[Server] = []

    def run(tree: Path, **variables: str) -> Server:
        started.append(start_server(tree, **variables))
        return started[-1]

    yield run
    for server in started:
        server.process.kill()
        server.end()
