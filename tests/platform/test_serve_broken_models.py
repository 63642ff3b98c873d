"""Broken model folders: the server exits with one line."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from image_classifier import artifact_checksums, artifacts
from tests.platform.serving import Server
from tests.support.representatives import some_of
from tests.unit.inference import colours

pytestmark = pytest.mark.no_cover

StartServer = Callable[..., Server]


@pytest.fixture
def tree(colour_models: Path, tmp_path: Path) -> Path:
    """A platform tree with a copy of the model without an IR, which TensorFlow serves."""
    shutil.copytree(colour_models / "both", tmp_path / "model")
    return tmp_path


def edit_labels(tree: Path, labels: list[str]) -> None:
    """Write another label map."""
    (tree / "model" / "labels_info.json").write_text(json.dumps({"labels": labels}))


def duplicate(tree: Path) -> None:
    """Leave two SavedModels, neither a version."""
    (tree / "model" / "1").rename(tree / "model" / "first")
    shutil.copytree(tree / "model" / "first", tree / "model" / "second")


def truncate(tree: Path, name: str) -> None:
    """Truncate a file of the SavedModel to a third."""
    path = tree / "model" / "1" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def empty(tree: Path) -> None:
    """Leave an empty model folder."""
    shutil.rmtree(tree / "model")
    (tree / "model").mkdir()


def rename_operation(tree: Path) -> None:
    """Make the graph use an operation unknown to this TensorFlow, as of a later release."""
    path = tree / "model" / "1" / "saved_model.pb"
    path.write_bytes(path.read_bytes().replace(b"Softmax", b"Sofwhat"))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda tree: shutil.rmtree(tree / "model"), "does not exist. A training job writes one"),
    "empty": (empty, "contains no SavedModel"),
    "no SavedModel": (lambda tree: shutil.rmtree(tree / "model" / "1"), "contains no SavedModel"),
    "several": (duplicate, "contains several SavedModels"),
    "truncated graph": (lambda tree: truncate(tree, "saved_model.pb"), "cannot be"),
    "truncated weights": (lambda tree: truncate(tree, "variables/variables.data-00000-of-00001"), "cannot be loaded"),
    "truncated index": (lambda tree: truncate(tree, "variables/variables.index"), "cannot be loaded"),
    "no weights": (lambda tree: shutil.rmtree(tree / "model" / "1" / "variables"), "cannot be loaded"),
    "another TensorFlow": (rename_operation, "needs operations that TensorFlow 2."),
    "short label map": (lambda tree: edit_labels(tree, ["a", "b"]), "names 2 classes, but the model returns 3"),
    "long label map": (lambda tree: edit_labels(tree, list("abcd")), "names 4 classes, but the model returns 3"),
    "broken label map": (lambda tree: (tree / "model/labels_info.json").write_text("{"), "is not valid JSON"),
}


REPRESENTATIVES = ("missing", "several")


@pytest.mark.parametrize("name", some_of(BROKEN, REPRESENTATIVES))
def test_broken_model_stops_the_server_with_one_line(start: StartServer, tree: Path, name: str) -> None:
    """Given each kind of broken model folder -> a non-zero exit code and one plain line, within seconds."""
    damage, message = BROKEN[name]
    damage(tree)
    server = start(tree)
    assert server.end(60) != 0
    lines = server.log().splitlines()
    assert len(lines) == 1, server.log()
    assert lines[0].startswith("UserError: ")
    assert message in lines[0]
    assert str(tree / "model") in lines[0]


@pytest.mark.every
def test_model_with_nan_outputs_is_not_served(start: StartServer, tree: Path) -> None:
    """Given NaN weights -> the server exits with the reason."""
    shutil.rmtree(tree / "model")
    colours.save(tree / "model", sharpness=float("nan"))
    server = start(tree)
    assert server.end(60) != 0
    assert server.log().splitlines() == [
        "UserError: The model returns numbers that are not finite (NaN or infinity). "
        "Its weights are corrupt or its training diverged. Train it again."
    ]


@pytest.fixture
def tree_with_ir(colour_models: Path, tmp_path: Path) -> Path:
    """A platform tree with a copy of the model with an IR, which OpenVINO serves."""
    shutil.copytree(colour_models / "both+openvino", tmp_path / "model")
    return tmp_path


def test_ir_with_nan_outputs_is_not_served(start: StartServer, tree_with_ir: Path) -> None:
    """Given a valid IR with a NaN weight -> the server exits with the reason."""
    weights, info_file = tree_with_ir / "model/openvino/model.bin", tree_with_ir / "model" / artifacts.MODEL_INFO_FILE
    sharpness, nan = struct.pack("<f", 12.0), struct.pack("<f", float("nan"))
    assert weights.read_bytes().count(sharpness) == 1
    weights.write_bytes(weights.read_bytes().replace(sharpness, nan))
    info = json.loads(info_file.read_text())
    info["openvino"]["sha256"] = artifact_checksums.folder_sha256(weights.parent)
    info_file.write_text(json.dumps(info))
    server = start(tree_with_ir)
    assert server.end(60) != 0
    assert server.log().startswith("UserError: The model returns numbers that are not finite (NaN or infinity). ")


@pytest.mark.parametrize("labels", [["a", "b"], pytest.param(list("abcd"), marks=pytest.mark.every)])
def test_number_of_labels_is_checked(start: StartServer, tree_with_ir: Path, labels: list[str]) -> None:
    """Given an IR of three classes and a label too few or too many -> the server exits with both numbers."""
    edit_labels(tree_with_ir, labels)
    server = start(tree_with_ir)
    assert server.end(60) != 0
    assert f"names {len(labels)} classes, but the model returns 3" in server.log()
    assert len(server.log().splitlines()) == 1
