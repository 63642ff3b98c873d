"""What is looked at before a SavedModel is loaded, and that it is what is loaded."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from image_classifier import artifact_checksums
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.untrusted_models import loader, operations

Model = Callable[[str], Path]


@pytest.fixture
def folder(colour_model: Model, tmp_path: Path) -> Path:
    """A copy of a small SavedModel."""
    return Path(shutil.copytree(colour_model("called") / "1", tmp_path / "model" / "1"))


def answer(loaded: Any) -> list[float]:
    """Ask a loaded model about a red image."""
    red = tf.constant([1.0, 0, 0]) * tf.ones((1, 24, 32, 3))
    return [round(value) for value in loaded(red).numpy()[0].tolist()]


def test_recorded_checksum_is_compared(folder: Path) -> None:
    """The recorded checksum -> loaded; another one -> both in the message, trusted or not; none -> loaded."""
    right, wrong = ModelInfo(sha256=artifact_checksums.folder_sha256(folder)), ModelInfo(sha256="0" * 64)
    assert answer(loader.load_untrusted(folder, trust=False, info=right)) == [12, 0, 0]
    for trust in (False, True):
        with pytest.raises(UserError, match=f"is corrupt.*{right.sha256}.*{wrong.sha256}"):
            loader.load_untrusted(folder, trust, wrong)
    assert answer(loader.load_untrusted(folder, trust=False, info=ModelInfo())) == [12, 0, 0]


def test_model_that_changes_between_check_and_use_is_rejected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another graph of the same size and age put there after the check -> rejected, whatever it answers."""
    graph = folder / "saved_model.pb"

    def swap(*_: Any) -> None:
        state = graph.stat()
        copy = graph.with_name("copy")
        copy.write_bytes(graph.read_bytes())
        copy.replace(graph)
        os.utime(graph, ns=(state.st_atime_ns, state.st_mtime_ns))

    monkeypatch.setattr(operations, "check", swap)
    with pytest.raises(UserError, match="changed while it was loaded"):
        loader.load_untrusted(folder, trust=False)


@pytest.mark.parametrize("part", ["variables", "assets", "saved_model.pb"])
def test_link_out_of_the_model_is_rejected(folder: Path, part: str) -> None:
    """A file or folder of the SavedModel that lies elsewhere -> rejected by its name; trusted -> loaded."""
    elsewhere = folder.parent.parent / "elsewhere"
    if (folder / part).exists():
        (folder / part).rename(elsewhere)
    else:
        elsewhere.mkdir()
    (folder / part).unlink(missing_ok=True) if part == "saved_model.pb" else shutil.rmtree(folder / part, True)
    (folder / part).symlink_to(elsewhere)
    with pytest.raises(UserError, match=rf"1/{part} is a link to a path outside the SavedModel"):
        loader.load_untrusted(folder, trust=False)
    assert answer(loader.load_untrusted(folder, trust=True)) == [12, 0, 0]


def test_link_within_the_model_is_followed(folder: Path) -> None:
    """A link from one file of the SavedModel to another -> loaded."""
    (folder / "variables" / "variables.index").rename(folder / "index")
    (folder / "variables" / "variables.index").symlink_to("../index")
    assert answer(loader.load_untrusted(folder, trust=False)) == [12, 0, 0]


@pytest.mark.parametrize("name", ["keras_metadata.pb", "fingerprint.pb", "assets.extra/custom.so", "debug/x.pb"])
def test_other_files_of_a_saved_model_are_not_run(folder: Path, name: str) -> None:
    """Rubbish where Keras keeps layers, Lambda's Python among them, and where libraries may lie -> not looked at."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"\xff rubbish")
    assert answer(loader.load_untrusted(folder, trust=False)) == [12, 0, 0]


def test_layer_is_never_made_from_a_path(folder: Path) -> None:
    """A path in place of a loaded model -> TypeError, since hub.KerasLayer would load it without a check."""
    for path in (folder, str(folder)):
        with pytest.raises(TypeError, match="load it with load_untrusted first"):
            loader.keras_layer(path, False, {})


@pytest.mark.parametrize("part", ["variables.data-00000-of-00001", "variables.index"])
def test_corrupt_weights_are_said(folder: Path, part: str) -> None:
    """Weights cut short -> what TensorFlow says of them, in one line; of a job's backbone with its remedy."""
    (folder / "variables" / part).write_bytes(b"")
    with pytest.raises(UserError, match=f"The SavedModel in {folder} cannot be loaded: ") as found:
        loader.load_untrusted(folder, trust=False)
    assert "\n" not in str(found.value)
    # The log names the owner of an error by its type.
    assert type(found.value) is UserError
    with pytest.raises(UserError, match=rf"The backbone in {folder.parent} cannot be loaded: .*\. Stage it again\."):
        loader.load_untrusted(folder, trust=False, where=folder.parent)
