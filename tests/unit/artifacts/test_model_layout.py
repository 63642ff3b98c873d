"""Where a model's files lie below the folder that is given, and what is said of it."""

from pathlib import Path

import pytest

from image_classifier import artifacts, model_layout
from image_classifier.artifacts import ModelInfo


def put(folder: Path, *names: str) -> Path:
    """Write files with nothing in them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


INFO, LABELS = artifacts.MODEL_INFO_FILE, artifacts.LABELS_FILE
GRAPH = "saved_model.pb"


@pytest.mark.parametrize(
    ("names", "root"),
    [
        ([f"1/{GRAPH}", INFO], "."),
        ([GRAPH], "."),
        ([f"model/1/{GRAPH}", f"model/{INFO}"], "model"),
        ([f"a/b/1/{GRAPH}", f"a/b/{LABELS}"], "a/b"),
        ([f"a/b/1/{GRAPH}", f"a/{INFO}"], "a"),
        ([f"model/1/{GRAPH}", f"model/2/{GRAPH}", f"model/{INFO}"], "model"),
        ([f"model/1/{GRAPH}"], "model"),
        ([f"model/{GRAPH}", f"model/{INFO}"], "model"),
        ([f"model/{GRAPH}"], "."),
        ([f"model/saved/{GRAPH}", f"model/{INFO}", "README.md"], "model"),
        ([f"model/1/{GRAPH}", f"model/{INFO}", f"__MACOSX/model/1/{GRAPH}", "__MACOSX/._model"], "model"),
        ([f"model/1/{GRAPH}", INFO], "."),
        ([f"one/1/{GRAPH}", f"two/1/{GRAPH}"], "."),
        (["README.md"], "."),
    ],
)
def test_folder_around_everything_is_stepped_into(tmp_path: Path, names: list[str], root: str) -> None:
    """Files of a model at the top, in one folder or two, beside what macOS adds -> the folder that records lie in."""
    assert model_layout.root(put(tmp_path, *names)) == tmp_path / root


def test_folder_that_is_none_is_itself(tmp_path: Path) -> None:
    """A folder that does not exist, and a file -> as given, for the message about them."""
    for path in (tmp_path / "absent", put(tmp_path, "file") / "file"):
        assert model_layout.root(path) == path


def test_ordinary_folder_needs_no_word(tmp_path: Path) -> None:
    """A model with one version, info, labels and IR -> nothing to say."""
    put(tmp_path, f"1/{GRAPH}", INFO, LABELS, "openvino/model.xml")
    assert model_layout.notes(tmp_path) == []


def test_what_was_chosen_and_what_was_left_is_told(tmp_path: Path) -> None:
    """Two versions in a folder around everything, a script and files of systems -> a sentence each."""
    put(tmp_path, f"m/2/{GRAPH}", f"m/10/{GRAPH}", "m/code/inference.py", "code/serve.py")
    put(tmp_path, "__MACOSX/m/._x", "m/.DS_Store", "m/10/._saved_model.pb")
    found = model_layout.notes(tmp_path, "inference.py")
    assert found == [
        f"The model is in m/ of {tmp_path}.",
        f"{tmp_path / 'm'} has the versions 2, 10: using version 10, the highest, as TensorFlow Serving does.",
        f"Ignored files of operating systems and tools in {tmp_path}: __MACOSX, m/.DS_Store, m/10/._saved_model.pb.",
        "Not run: code/serve.py, m/code/inference.py. This image serves with its own program; move the script's "
        "pre- and postprocessing to the client.",
    ]
    assert (
        "Not run: train.py (SAGEMAKER_PROGRAM)."
        in model_layout.notes(put(tmp_path / "new", f"1/{GRAPH}"), "train.py")[0]
    )


def test_files_of_systems_are_counted(tmp_path: Path) -> None:
    """More such files than a line should hold, one with a line break -> five names and the number of the others."""
    put(tmp_path, f"1/{GRAPH}", *(f"1/._{index}" for index in range(7)), "1/._\n")
    (line,) = model_layout.notes(tmp_path)
    assert line.endswith(" and 3 more.")
    assert "\n" not in line


def test_model_info_of_the_folder_within_counts(tmp_path: Path) -> None:
    """A model info in a folder around everything -> read through the root."""
    put(tmp_path / "model", f"1/{GRAPH}")
    artifacts.write_model_info(tmp_path / "model", ModelInfo(image_size=(32, 40)))
    assert artifacts.read_model_info(model_layout.root(tmp_path)).image_size == (32, 40)
