"""`scripts/export`: a LiteRT file and its labels, compared with the model; real conversions of the small classifier."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier import archives
from image_classifier.cli import export as command
from image_classifier.contract.errors import UserError
from image_classifier.inference.litert_model import exchange, export
from image_classifier.inference.litert_model.exchange import Converted, Request
from tests.unit.inference import colours


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the command; returns its exit code and what it printed."""
    code = command.main([str(word) for word in words])
    return code, *capsys.readouterr()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four images of each class in class folders, and a text."""
    noise = np.random.default_rng(0)
    for index, name in enumerate(colours.LABELS):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for row in range(4):
            pixels = noise.integers(60, 120, (*colours.SIZE, 3), np.uint8)
            pixels[:, :, index] += 100
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{row}.png")
    (tmp_path / "photos" / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path / "photos"


def test_int8_file_is_written_and_compared(
    colour_model: Callable[[str], Path], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a model and 13 files in class folders -> the file, its labels, the figures and what an app must do."""
    output = tmp_path / "new" / "colours.tflite"
    words = (colour_model("called"), "--to", "litert", "--precision", "int8", "--images", photos, "--output", output)
    code, said, complained = run(capsys, *words)
    assert (code, complained) == (0, "")
    assert output.read_bytes()[4:8] == b"TFL3"
    assert (tmp_path / "new" / "colours.labels.txt").read_text() == "red\ngreen\nblue\n"
    assert sorted(path.name for path in output.parent.iterdir()) == ["colours.labels.txt", "colours.tflite"]
    lines = said.splitlines()
    assert f"WARNING: 1 images were skipped. The first, {photos}/red/broken.png: " in lines[1]
    assert "6 images set the ranges; others are used for the comparison." in lines[2]
    assert "accuracy 1.0000 (the model: 1.0000), 0 predictions differ, largest difference of a probability 0.0" in said
    assert "cannot tell whether this precision is good enough" in said
    assert "Input: uint8 [1, 24, 32, 3], RGB" in said
    assert "Output: float32 [1, 3]" in said
    assert run(capsys, *words)[0] == 1


@pytest.mark.every
@pytest.mark.parametrize(
    ("form", "precision"),
    [*((form, "float32") for form in colours.FORMS), ("both", "float16"), ("both", "int8-weights")],
)
def test_every_form_is_converted(
    colour_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, precision: str
) -> None:
    """Given a model of any calling convention, as an archive -> a file that agrees on synthetic images."""
    archives.pack(colour_model(form), tmp_path / "model.tar.gz")
    code, said, complained = run(capsys, tmp_path / "model.tar.gz", "--to", "litert", "--precision", precision)
    assert (code, complained) == (0, "")
    suffix = "" if precision == "float32" else f"-{precision}"
    assert (tmp_path / f"model{suffix}.tflite").is_file()
    assert "On 50 synthetic images (--images DIR takes real ones): 0 predictions differ" in said
    assert f"Output: float32 [1, {2 if form == 'binary' else 3}]" in said


@pytest.mark.every
def test_network_that_returns_nan_is_rejected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a model whose probabilities are NaN -> one sentence with the path as it was typed, and no file."""
    broken = colours.save(tmp_path / "nan", sharpness=float("nan"))
    code, _, complained = run(capsys, broken, "--to", "litert")
    assert code == 1
    assert complained.count("\n") == 1
    assert complained.startswith(f"UserError: {broken} returns numbers that are not finite (NaN or infinity).")
    assert not (tmp_path / "nan.tflite").exists()


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """Return a function after which the conversion answers at once, with so many of 200 predictions changed."""

    def answer_with(flips: int) -> None:
        def convert(request: Request, folder: Path) -> Converted:
            exchange.file_of(folder).write_bytes(b"....TFL3")
            expected = np.tile(np.array([0.9, 0.1], np.float32), (200, 1))
            found = expected.copy()
            found[:flips] = found[:flips, ::-1]
            rows = tuple(range(200))
            return Converted(
                class_names=("cat", "dog"),
                warning=f"WARNING: No model info in {request.model} records image_size.",
                image_size=(24, 32),
                resize_method="bilinear",
                rows=rows,
                skipped={},
                expected=expected,
                found=found,
            )

        monkeypatch.setattr(export, "convert", convert)
        (tmp_path / "model").mkdir()
        (tmp_path / "photos").mkdir()
        for row in range(200):
            (tmp_path / "photos" / f"{row}.png").write_bytes(b"")

    return answer_with


def test_file_that_is_not_good_enough_is_not_written(
    converted: Callable[[int], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given 10 of 200 predictions changed -> one sentence with the figures and no file; --accept-loss writes it."""
    converted(10)
    words = (tmp_path / "model", "--to", "litert", "--precision", "float16", "--images", tmp_path / "photos")
    code, _, complained = run(capsys, *words)
    assert (code, complained.count("\n")) == (1, 1)
    assert "model-float16.tflite was not written, since it is not good enough: 5.00 % of the predictions" in complained
    assert "Try --precision float32, or use --accept-loss to write it nevertheless." in complained
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "photos"]
    code, said, complained = run(capsys, *words, "--accept-loss")
    assert (code, complained) == (0, "")
    assert "WARNING: written as asked for, although 5.00 % of the predictions differ, more than 2 %." in said
    assert (tmp_path / "model-float16.tflite").read_bytes() == b"....TFL3"


def test_existing_file_is_replaced_only_when_asked(
    converted: Callable[[int], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given labels of another export -> rejected, and both files as they were; --overwrite replaces them."""
    converted(0)
    (tmp_path / "model.labels.txt").write_text("mine\n")
    words = (tmp_path / "model", "--to", "litert")
    code, said, complained = run(capsys, *words)
    assert (code, said) == (1, "")
    assert "/model.labels.txt exists. Give another name, or --overwrite to replace it." in complained
    assert (tmp_path / "model.labels.txt").read_text() == "mine\n"
    assert not (tmp_path / "model.tflite").exists()
    assert run(capsys, *words, "--overwrite")[0] == 0
    assert (tmp_path / "model.labels.txt").read_text() == "cat\ndog\n"


def test_link_and_folder_are_not_written_to(
    converted: Callable[[int], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a link or a folder in the place of the file -> rejected, also with --overwrite."""
    converted(0)
    (tmp_path / "link.tflite").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder.tflite").mkdir()
    for name, kind in (("link", "a link"), ("folder", "a folder")):
        words = ("--to", "litert", "--output", tmp_path / f"{name}.tflite", "--overwrite")
        code, _, complained = run(capsys, tmp_path / "model", *words)
        assert code == 1
        assert f"{name}.tflite is {kind}. Give the name of a new file." in complained
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--precision", "int8"), "--precision int8 needs --images DIR"),
        (("--output", "model.onnx"), "--output model.onnx: the name must end with .tflite"),
    ],
)
def test_wrong_options_are_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    """Given options that do not fit -> exit 2 and one sentence, before anything is loaded."""
    with pytest.raises(SystemExit) as ended:
        command.main([str(tmp_path / "model"), "--to", "litert", *words])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_missing_folder_of_images_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given --images that is not there -> exit 1 and one sentence."""
    code, _, complained = run(capsys, tmp_path, "--to", "litert", "--images", tmp_path / "absent")
    assert (code, complained.count("\n")) == (1, 1)
    assert f"--images {tmp_path}/absent is not a folder." in complained


def test_class_name_with_a_line_break_is_rejected() -> None:
    """Given such a name -> an error that names it; others are one a line, in order."""
    assert command.labels_text(["b", "a b"]) == "b\na b\n"
    with pytest.raises(UserError, match="has a line break"):
        command.labels_text(["a", "b\nc"])
