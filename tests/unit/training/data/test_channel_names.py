"""Names of classes and files: text, in one Unicode form, without backslashes."""

import unicodedata
from pathlib import Path

import pytest

from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data import splits
from tests.unit.training import small
from tests.unit.training.trees import put, rejected

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("name", "shown"),
    [("caf\udce9", "caf\\xe9"), ("\udcff\udcfe", "\\xff\\xfe"), ("a\nb", "a\\x0ab"), ("a\x1b[1m", "\\x1b")],
)
@pytest.mark.parametrize("empty", [False, True], ids=["with images", "empty"])
def test_class_name_that_is_not_text_is_rejected(
    opt_ml: OptMl, training: Path, name: str, shown: str, empty: bool
) -> None:
    """A class folder named in other bytes or with control characters -> rejected with the name shown, printable."""
    put(training, f"{name}/{'.keep' if empty else '1.jpg'}")
    said = rejected(opt_ml)
    assert shown in said
    assert said.encode()


def test_both_unicode_forms_are_one_class(opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`café` composed and decomposed in one channel, decomposed in validation -> one class in NFC, and one line."""
    put(training, f"{NFC}/1.jpg", f"{NFC}/2.jpg", f"{NFD}/3.jpg")
    put(opt_ml.channel_dir("validation"), f"{NFD}/1.jpg")
    put(opt_ml.channel_dir("test"), f"{NFC}/1.jpg")
    found = splits.read(opt_ml, small.settings())
    assert found.training.class_names == ("blue", NFC, "red")
    assert found.training.counts()[NFC] == 3
    assert found.validation.counts()[NFC] == 1
    assert found.test is not None
    assert found.test.class_names == found.validation.class_names == found.training.class_names
    assert sum("U+0301" in line and "U+00E9" in line for line in capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("name", ["red\\01.jpg", "data\\red\\01.jpg", "red%5C01.jpg"])
@pytest.mark.parametrize("alone", [True, False])
def test_backslashes_are_named_as_the_cause(opt_ml: OptMl, training: Path, name: str, alone: bool) -> None:
    """Keys written with backslashes, alone or beside class folders -> the sentence names the cause and the remedy."""
    if alone:
        training.rename(training.with_name("old"))
    put(training, name)
    said = rejected(opt_ml)
    assert f"1 name(s) with a backslash, such as {name}" in said
    assert "has no class folders" not in said


def test_class_folder_with_a_backslash_is_rejected(opt_ml: OptMl, training: Path) -> None:
    """A class folder whose name holds a backslash -> rejected as well."""
    put(training, "train\\red/1.jpg")
    assert "backslash, such as train\\red" in rejected(opt_ml)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Red", "Red, red"),
        ("red ", "red, 'red '"),
        ("re\u200bd", "red, 're\\u200bd'"),
        ("\uff52ed", "red, '\uff52ed' (U+FF52)"),
    ],
)
def test_names_that_look_alike_are_a_warning(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str], name: str, shown: str
) -> None:
    """Two classes that differ in case, a space, a character that is not drawn or a full-width one -> one WARNING."""
    put(training, f"{name}/1.jpg", f"{name}/2.jpg")
    assert splits.read(opt_ml, small.settings()).training.counts()[name] == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if "hard to see" in line]
    assert len(lines) == 1
    assert f"are separate classes: {shown}." in lines[0]
