"""What is checked before the first image is decoded: everything in one message."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from image_classifier import PROGRAM
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data import preflight
from tests.unit.training import small
from tests.unit.training.trees import log, put, rejected


def test_every_problem_is_in_one_message(opt_ml: OptMl, training: Path) -> None:
    """An empty class, a Latin-1 name, a backslash, a model folder that is a file, unknown classes -> all, at once."""
    put(training, "empty/notes.txt", "caf\udce9/1.jpg", "red\\9.jpg")
    put(opt_ml.base, "model")
    put(opt_ml.channel_dir("validation"), "green/1.jpg")
    said = rejected(opt_ml)
    assert said.startswith("PlatformError: 5 problems were found before training:\n- ")
    for words in ("/model cannot", "caf\\xe9", "red\\9.jpg", "empty holds 1 file(s) ending in .txt", "lacks: green"):
        assert words in said
    assert len(said) < 1024 + 300


def test_preflight_needs_no_tensorflow(tmp_path: Path) -> None:
    """A fresh process that checks a tree -> TensorFlow is not among its modules."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom image_classifier.contract.hyperparameters import parse\n"
        "from image_classifier.contract.opt_ml import OptMl\nfrom image_classifier.training.data import preflight\n"
        f"try:\n    preflight.check(OptMl(Path({str(tmp_path)!r})), parse({{}}).values)\nexcept Exception as error:\n"
        "    print(type(error).__name__, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(PROGRAM)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "UserError False"


@pytest.mark.parametrize(
    ("name", "ours"),
    [("train", "training"), ("Training", "training"), ("TRAIN", "training"), ("images", "training")],
)
def test_missing_channel_is_explained_by_those_given(opt_ml: OptMl, training: Path, name: str, ours: str) -> None:
    """The images under another channel's name -> the channels given, the names that count, and what to rename."""
    training.rename(opt_ml.channel_dir(name))
    said = rejected(opt_ml)
    assert f"the channels given are {name}." in said
    assert "names of channels that count are training, validation, test, model." in said
    assert f"Rename {name} to {ours}." in said


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        *(("val", "validation"), ("valid", "validation"), ("eval", "validation"), ("Validation", "validation")),
        *(("Test", "test"), ("testing", "test"), ("train", None), ("photos", None)),
    ],
)
def test_unread_channel_is_one_loud_line(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str], name: str, ours: str | None
) -> None:
    """A channel beside training that nothing reads -> one WARNING, with the right name where that is free."""
    put(opt_ml.channel_dir(name), "blue/1.jpg", "red/1.jpg")
    lines = [line for line in log(opt_ml, capsys) if name in line.split() and "NOT READ" in line]
    assert len(lines) == 1
    assert (f"Rename {name} to {ours}." in lines[0]) is (ours is not None)


def test_channels_that_are_read_are_said(opt_ml: OptMl, capsys: pytest.CaptureFixture[str]) -> None:
    """Training, test and the SDK's channel for scripts -> what is read in one line, and no warning."""
    put(opt_ml.channel_dir("test"), "blue/1.jpg")
    put(opt_ml.channel_dir("code"), "train.py")
    lines = log(opt_ml, capsys)
    assert "Channels read: test, training." in lines
    assert not any("WARNING" in line for line in lines)


def test_pipe_mode_is_named(opt_ml: OptMl, training: Path) -> None:
    """A pipe where the channel's folder should be -> Pipe mode is said, with the modes that work."""
    training.rename(training.with_name("elsewhere"))
    os.mkfifo(training.with_name("training_0"))
    assert "in Pipe mode (training_0" in rejected(opt_ml)


@pytest.mark.parametrize("parts", [("train", "val", "test"), ("flowers", "flowers-test"), ("Train", "Valid")])
def test_parts_of_a_split_are_rejected(opt_ml: OptMl, tmp_path: Path, parts: tuple[str, ...]) -> None:
    """Whole data sets as class folders -> rejected by name, with the channels that they should be."""
    whole = opt_ml.channel_dir("training").rename(tmp_path / "whole")
    for part in parts:
        put(opt_ml.channel_dir("training"), *(f"{part}/{path.relative_to(whole)}" for path in whole.rglob("*.jpg")))
    said = rejected(opt_ml)
    assert f"The folders {', '.join(sorted(parts))} in the training channel (with the sub-folders blue, red)" in said
    assert "training, validation, test" in said


def test_class_weights_that_name_the_parts_make_them_classes(opt_ml: OptMl, training: Path) -> None:
    """Two classes called like parts of a split -> rejected, and used when class_weights names both."""
    (training / "blue").rename(training / "test")
    (training / "red").rename(training / "train")
    assert "look like parts of a split" in rejected(opt_ml)
    assert "look like parts of a split" in rejected(opt_ml, class_weights='{"test": 1}')
    assert preflight.check(opt_ml, small.settings(class_weights='{"test": 1, "train": 1}'))


def test_test_and_control_are_classes(opt_ml: OptMl, training: Path) -> None:
    """A binary problem of `test` and `control` with sub-folders of the same names -> used as it is."""
    put(training.parent / "new", *(f"{name}/day-{day}/1.jpg" for name in ("test", "control") for day in (1, 2)))
    training.rename(training.with_name("old"))
    (training.parent / "new").rename(training)
    found = preflight.check(opt_ml, small.settings(binary_mode=True))
    assert found["training"].listing.class_names == ("control", "test")


def test_split_below_the_classes_is_a_warning(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Classes with train/ and test/ below -> all images are used, and one WARNING says so."""
    put(training, "blue/train/1.jpg", "blue/test/1.jpg")
    assert any("WARNING" in line and "classes blue have sub-folders" in line for line in log(opt_ml, capsys))


def test_binary_mode_with_three_classes_is_among_the_problems(opt_ml: OptMl, training: Path) -> None:
    """Three classes, one of them empty, in binary mode -> both problems."""
    put(training, "green/notes.txt")
    said = rejected(opt_ml, binary_mode=True)
    assert said.startswith("UserError: 2 problems")
    assert "binary_mode=True needs two classes; the training channel has 3" in said


def test_owner_is_the_platform_when_one_problem_is_its_own(opt_ml: OptMl, training: Path) -> None:
    """A user's problem alone -> UserError; with a platform's beside it -> PlatformError that names both."""
    put(training, "green/notes.txt")
    with pytest.raises(UserError):
        preflight.check(opt_ml, small.settings())
    put(opt_ml.base, "model")
    with pytest.raises(PlatformError, match=r"2 problems(.|\n)*green"):
        preflight.check(opt_ml, small.settings())


@pytest.mark.parametrize("channel", ["training", "validation", "model"])
def test_channel_that_is_a_file_is_named(opt_ml: OptMl, training: Path, channel: str) -> None:
    """A file in the place of a channel's folder -> one sentence with its path; never trained without it."""
    if channel == "training":
        training.rename(training.with_name("old"))
    put(opt_ml.base, f"input/data/{channel}")
    path = opt_ml.channel_dir(channel)
    assert rejected(opt_ml) == f"UserError: The {channel} channel {path} is a file; expected a folder that holds it."


def test_weights_of_unknown_classes_are_found_before_tensorflow_starts(opt_ml: OptMl) -> None:
    """class_weights with a class that training lacks -> both lists, in the message of the pre-flight check."""
    said = rejected(opt_ml, class_weights='{"Blue": 2, "red": 1}')
    assert "class_weights names classes that the training channel lacks: Blue. Its classes are blue, red." in said


def test_sub_folders_that_all_classes_share_are_a_warning(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folders of years with the classes below them -> one WARNING; classes with other sub-folders -> none."""
    whole = training.rename(training.with_name("old"))
    put(training, *(f"{year}/{name}/1.jpg" for year in (2023, 2024) for name in ("cat", "dog")))
    warned = [line for line in log(opt_ml, capsys) if "same sub-folders" in line]
    assert len(warned) == 1
    assert "all classes (2023, 2024) have the same sub-folders (cat, dog), which are not used as classes" in warned[0]
    (training / "2023" / "dog").rename(training / "2023" / "wolf")
    assert not [line for line in log(opt_ml, capsys) if "same sub-folders" in line]
    assert whole.is_dir()


def test_table_beside_the_only_folder_is_named(opt_ml: OptMl, training: Path) -> None:
    """Images in one folder, and labels in a table that is not a manifest -> the table is named, with its format."""
    training.rename(training.with_name("old"))
    put(training, "images/1.jpg", "images/2.jpg")
    (training / "train.csv").write_text("image_id,breed\n1,cat\n2,dog\n")
    said = rejected(opt_ml)
    assert "has one class, images; a classifier needs two. Beside it lies train.csv (a table or manifest: " in said


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (("photos/blue", "photos/red"), "photos holds blue, red: put these folders directly into the channel."),
        (("Blue", "red"), "Names in all channels are the same in case, spaces and characters"),
        (("green", "red"), "Its folders must be among: blue, red."),
    ],
)
def test_classes_that_training_lacks_get_a_hint(opt_ml: OptMl, names: tuple[str, ...], hint: str) -> None:
    """Validation with a folder around its classes, in another case, with another class -> what to do about each."""
    put(opt_ml.channel_dir("validation"), *(f"{name}/1.jpg" for name in names))
    said = rejected(opt_ml)
    assert "has classes that the training channel lacks" in said
    assert hint in said
