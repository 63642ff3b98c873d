"""A small model folder, and a server that answers as tfhub.dev does."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from image_classifier.artifacts import ModelInfo
from tests.support.file_server import answering
from tests.unit.training import small


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone of 32 x 40 pixels without a recorded checksum."""
    folder = tmp_path_factory.mktemp("model")
    info = ModelInfo(image_size=(32, 40), pixel_scaling_method="center", licence="MIT")
    return small.save_backbone(folder, info, small.build_network((None, None)))


@pytest.fixture(scope="session")
def hub_archive(model_folder: Path) -> bytes:
    """The SavedModel as tfhub.dev sends it: a tar.gz with saved_model.pb at its root."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        tar.add(model_folder / "1", arcname=".")
    return file.getvalue()


@pytest.fixture
def hub(hub_archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve /good/1 with ?tf-hub-format=compressed alone; /forbidden/1 is 403, /rubbish/1 no archive, the rest 404."""

    def answer(path: str) -> tuple[int, bytes]:
        asked = urlparse(path)
        if parse_qs(asked.query).get("tf-hub-format") != ["compressed"]:
            return 404, b""
        known = {"/good/1": (200, hub_archive), "/rubbish/1": (200, b"no archive"), "/forbidden/1": (403, b"")}
        return known.get(asked.path, (404, b""))

    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub-cache"))
    with answering(answer) as address:
        yield address
