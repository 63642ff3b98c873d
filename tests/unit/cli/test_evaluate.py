"""scripts/evaluate: the report of a model on labelled images, and what it rejects before it computes anything."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier import archives, artifacts
from image_classifier.cli import evaluate
from image_classifier.contract import report_files
from image_classifier.evaluation import archive
from tests.support import tiny_models
from tests.support.tiny_models import COLOURS, TinyModel

FILES = {*report_files.ALL, ".image-classifier.json"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    """A model with an OpenVINO IR and without features; to be left as it is."""
    return tiny_models.write(tmp_path_factory.mktemp("tiny") / "tiny", "tiny")


@pytest.fixture
def images(tmp_path: Path, model: TinyModel) -> Path:
    """Twelve textures of each colour in the folder of its class."""
    noise = np.random.default_rng(1)
    for number, colour in enumerate(COLOURS):
        folder = tmp_path / "photos" / model.label(colour)
        folder.mkdir(parents=True)
        for index in range(12):
            pixels = noise.integers(0, 90, (12, 16, 3)).repeat(4, axis=0).repeat(4, axis=1)
            pixels[..., number] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
    return tmp_path / "photos"


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the command; return its exit code and what it printed."""
    code = evaluate.main([str(word) for word in words])
    return code, *capsys.readouterr()


def confusion(output: Path) -> dict[str, dict[str, int]]:
    """Read the confusion matrix."""
    found = json.loads((output / "evaluation.json").read_text())["multiclass_classification_metrics"]
    matrix: dict[str, dict[str, int]] = found["confusion_matrix"]
    return matrix


def test_model_is_judged_on_the_folders(
    model: TinyModel, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A blue image in the folder of red -> all files of a report, 35 right answers and one mistake, which is named."""
    first = images / model.label("blue") / "0.png"
    first.rename(images / model.label("red") / "planted.png")
    output = tmp_path / "report"
    code, said, complained = run(capsys, model.folder, "--images", images, "--output", output)
    assert (code, complained) == (0, "")
    assert said.splitlines()[-2].startswith("Verdict: ")
    assert said.splitlines()[-1] == f"Report: {output}/report.html"
    assert {path.name for path in output.iterdir()} == FILES
    matrix = confusion(output)
    assert matrix[model.label("red")] == {"tiny-red": 12, "tiny-green": 0, "tiny-blue": 1}
    assert sum(matrix[name][name] for name in matrix) == 35
    assert "planted.png" in (output / "report.html").read_text()


def test_archive_is_judged_and_its_report_lies_beside_it(
    model: TinyModel, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model.tar.gz without --output -> model-evaluation beside it; a second run replaces its own report."""
    archive = tmp_path / "model.tar.gz"
    archives.pack(model.folder, archive)
    for _ in range(2):
        assert run(capsys, archive, "--images", images)[0] == 0
    assert {path.name for path in (tmp_path / "model-evaluation").iterdir()} == FILES
    assert sum(row[name] for name, row in confusion(tmp_path / "model-evaluation").items()) == 36


def test_unknown_class_folders_are_one_error(
    model: TinyModel, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two folders that are not classes -> one sentence with both and the classes; no folder is made."""
    for name in ("purple", "cyan"):
        (images / model.label("red") / f"{len(name)}.png").rename(_made(images / name) / "1.png")
    code, _, complained = run(capsys, model.folder, "--images", images, "--output", tmp_path / "report")
    assert code == 1
    assert complained.startswith(f"UserError: --images {images} has images in cyan, purple, which are not classes")
    assert "tiny-red, tiny-green, tiny-blue" in complained
    assert complained.count("\n") == 1
    assert not (tmp_path / "report").exists()


def test_folder_whose_name_is_almost_a_class_is_to_be_renamed(
    model: TinyModel, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A class folder in capitals, and one that is not a class -> the error says what the first one has to be called."""
    (images / "tiny-red").rename(images / "Tiny-Red")
    (images / "tiny-blue").rename(images / "sky")
    code, _, complained = run(capsys, model.folder, "--images", images, "--output", tmp_path / "report")
    assert code == 1
    assert complained.endswith("Rename Tiny-Red to tiny-red, or leave the others out.\n")


def test_images_outside_of_class_folders_are_to_be_moved(
    model: TinyModel, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images in the folder itself, whose name is not a class -> the error says where they belong."""
    (images / "tiny-red" / "0.png").rename(images / "0.png")
    code, _, complained = run(capsys, model.folder, "--images", images, "--output", tmp_path / "report")
    assert code == 1
    assert "has images outside of class folders, and photos is not a class of the model" in complained
    assert complained.endswith("Move the images into folders with these names.\n")
    moved = images / "tiny-green"
    code, said, _ = run(capsys, model.folder, "--images", moved, "--output", tmp_path / "report")
    assert (code, "12 images of tiny-green" in said) == (0, True)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_manifest_names_the_classes_and_the_split(
    model: TinyModel, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A manifest with splits, named itself -> its test images are judged by its labels; a foreign label is rejected."""
    rows = [
        f"{path.relative_to(images)},{path.parent.name},{'train' if path.stem > '3' else 'test'}"
        for path in sorted(images.rglob("*.png"))
    ]
    manifest = images / "manifest.csv"
    manifest.write_text("\n".join(["path,label,split", *rows]))
    code, said, complained = run(capsys, model.folder, "--images", manifest, "--output", tmp_path / "report")
    assert (code, complained) == (0, "")
    tests = sum(row.endswith("test") for row in rows)
    assert said.startswith(f"Judging {tests} images of manifest.csv of the split test, not the other lines.")
    assert sum(row[name] for name, row in confusion(tmp_path / "report").items()) == tests
    manifest.write_text("\n".join(row.replace(",tiny-red,", ",pink,") for row in rows))
    code, _, complained = run(capsys, model.folder, "--images", images, "--output", tmp_path / "other")
    assert code == 1
    assert "has the labels pink, which are not classes of the model" in complained


@pytest.mark.parametrize("place", ["mine", "photos/tiny-red", "link"])
def test_files_of_others_are_never_overwritten(
    model: TinyModel, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """A folder with another file, one of the images, a link -> rejected, and everything is as before."""
    _made(tmp_path / "mine")
    (tmp_path / "mine" / "report.html").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    code, _, complained = run(capsys, model.folder, "--images", images, "--output", tmp_path / place)
    assert code == 1
    assert complained.startswith("UserError: ")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_unreadable_images_are_skipped(
    model: TinyModel, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One corrupt image among 36 -> 35 are judged, a line names the other one, and issues.csv has it."""
    (images / "tiny-green" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    output = tmp_path / "report"
    code, said, _ = run(capsys, model.folder, "--images", images, "--output", output)
    assert code == 0
    line = "Skipped 1 unreadable image(s), listed in issues.csv; the first is photos/tiny-green/3.png: "
    assert said.startswith(line)
    assert sum(sum(row.values()) for row in confusion(output).values()) == 35
    assert "\nphotos/tiny-green/3.png,unreadable" in (output / "issues.csv").read_text()


@pytest.mark.parametrize(("recorded", "expected"), [(2.0, 2.0), (99.0, 1.0), ("hot", 1.0)])
def test_labels_are_judged_before_the_calibration(
    model: TinyModel, images: Path, tmp_path: Path, recorded: object, expected: float
) -> None:
    """A temperature in the model info, one out of range, one that is a word -> the report divides by it, or by 1."""
    folder = Path(shutil.copytree(model.folder, tmp_path / "calibrated"))
    info = artifacts.read_model_info(folder)
    artifacts.write_model_info(
        folder, dataclasses.replace(info, extra={**info.extra, "calibration": {"temperature": recorded}})
    )
    evaluate.run(folder, images, tmp_path / "report")
    assert archive.read(tmp_path / "report" / "evidence.npz").evaluation.evidence.temperature == expected
    page = (tmp_path / "report" / "report.html").read_text()
    assert ("before the calibration" in page) == (expected != 1)


def test_only_unreadable_images_are_an_error(
    model: TinyModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No readable image -> one sentence with the first reason."""
    (tmp_path / "photos" / "tiny-red").mkdir(parents=True)
    (tmp_path / "photos" / "tiny-red" / "1.png").write_bytes(b"broken")
    code, _, complained = run(capsys, model.folder, "--images", tmp_path / "photos", "--output", tmp_path / "report")
    assert code == 1
    assert complained.startswith(f"UserError: None of the 1 images in {tmp_path / 'photos'} is readable: ")


@pytest.mark.parametrize(("name", "said"), [("training", '"training"'), ("validation", '"validation"')])
def test_folder_that_is_called_like_a_split_is_none(
    model: TinyModel, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    """A folder called training or validation -> in quotes, and nothing is said that only a job knows of its split."""
    shutil.copy(images / "tiny-red" / "0.png", images / "tiny-blue" / "red.png")
    folder = images.rename(tmp_path / name)
    output = tmp_path / "report"
    code, out, _ = run(capsys, model.folder, "--images", folder, "--output", output)
    page = (output / "report.html").read_text()
    assert (code, f"37 images of {said} are right" in out) == (0, True)
    assert "predictions.csv" not in page
    assert "also used to select the epoch" not in page
    assert "it takes at least four training images" not in page
    assert f"\n{name}/tiny-red/0.png,contradiction," in (output / "issues.csv").read_text()


def test_folder_whose_name_is_not_utf_8_is_judged(
    model: TinyModel, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder in Latin-1 -> a report with its name escaped."""
    folder = images.rename(tmp_path / "caf\udce9")
    code, said, complained = run(capsys, model.folder, "--images", folder, "--output", tmp_path / "report")
    assert (code, complained) == (0, "")
    assert "36 images of caf\\xe9 are right" in said
    assert "caf\\xe9" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
