"""Data as people have it: one job that trains on all of it, and one that says everything that is wrong."""

import csv
import json
import os
import re
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from image_classifier.contract.metrics import definitions
from tests.platform.training_process import COLOURS, failure, link_backbone, make_tree, run_train

pytestmark = pytest.mark.no_cover

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.mark.every
def test_odd_data_is_trained_on(tmp_path: Path, tiny_backbone: Path) -> None:
    """Odd names, endings, forms, folders and settings, each of them readable -> exit 0, all counted, nothing lost."""
    tree = make_tree(tmp_path, {"blue": COLOURS["blue"], NFC: COLOURS["red"]})
    link_backbone(tree, tiny_backbone)
    training, validation = tree / "input/data/training", tree / "input/data/validation"
    (training / "blue/00.jpg").rename(training / "blue/00.jfif")
    (training / "blue/01.jpg").rename(training / "blue/no ending")
    (training / NFD).mkdir()
    (training / NFC / "00.jpg").rename(training / NFD / "00.jpg")
    (training / "@eaDir").mkdir()
    (training / "images.zip").write_bytes(b"PK\3\4")
    for name in ("blue", NFD):
        (validation / name).mkdir(parents=True)
        for number in range(1, 4):
            (validation / name / f"{number:02}.jpg").write_bytes((training / "blue/02.jpg").read_bytes())
    (validation / "blue/caf\udce9.jpg").write_bytes((training / "blue/02.jpg").read_bytes())
    (validation / "blue/=1+1.jpg").write_bytes((training / "blue/02.jpg").read_bytes())
    frames = [Image.new("RGB", (50, 40), (20, 20, level)) for level in (200, 210)]
    frames[0].save(validation / "blue/animated.webp", save_all=True, append_images=frames[1:])
    settings = {"epochs": "1", "train_only_top_layer": "True", "model_id": "none", "model_uri": "None"}
    (tree / "input/config/hyperparameters.json").write_bytes(json.dumps(settings).encode("utf-16"))
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    assert json.loads((tree / "model/labels_info.json").read_text()) == {"labels": ["blue", NFC]}
    assert f"training: 24 images of 2 classes (blue 12, {NFC} 12)" in done.stdout
    metrics = json.loads((tree / "output/data/metrics.json").read_text())
    assert (metrics["skipped"], metrics["verification"]["twin_left_out"]) == (0, 1)
    with (tree / "output/data/predictions.csv").open(encoding="utf-8", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    assert "blue/caf\\xe9.jpg" in names
    assert len(names) == 9
    for words in ("images.zip (a zip archive", "Used 2 image(s)", "@eaDir 1", "U+0301"):
        assert words in done.stdout


@pytest.mark.every
def test_class_named_like_a_metric_is_not_read_as_one(tmp_path: Path, tiny_backbone: Path) -> None:
    """Classes and an image that are named like lines of the log -> the final values are those of metrics.json."""
    classes = ("- val_accuracy: 9 - loss: 9", "val_loss: 9 - Test accuracy: 9 - accuracy: 9")
    tree = make_tree(tmp_path, dict(zip(classes, COLOURS.values(), strict=True)), epochs="1", report="True")
    link_backbone(tree, tiny_backbone)
    (tree / "input/data/training" / classes[0] / "- val_accuracy: 9.jpg").write_bytes(b"no image")
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    written = json.loads((tree / "output/data/metrics.json").read_text())
    for definition in definitions():
        found = [float(number) for number in re.findall(definition["Regex"], done.stdout + done.stderr)]
        assert 9 not in found, definition
        if (name := definition["Name"].removeprefix("train_")) in written:
            assert found[-1] == pytest.approx(written[name], abs=1e-4)


@pytest.mark.every
def test_manifest_is_trained_on(tmp_path: Path, tiny_backbone: Path) -> None:
    """Augmented manifest lines of images in one folder, with splits -> exit 0, the splits and the classes as given."""
    tree = make_tree(tmp_path, {"blue": COLOURS["blue"], "red": COLOURS["red"]}, epochs="1", report="True")
    link_backbone(tree, tiny_backbone)
    training = tree / "input/data/training"
    lines = []
    for number, name in enumerate(("blue", "red")):
        for path in sorted((training / name).iterdir()):
            path.rename(training / f"{name}-{path.name}")
            split = {"00": "validation", "01": "validation", "02": "test"}.get(path.stem, "train")
            key = f"s3://bucket/prefix/{name}-{path.name}"
            lines.append({"source-ref": key, "k": number, "k-metadata": {"class-name": name.upper()}, "split": split})
        (training / name).rmdir()
    (training / "output.manifest").write_text("\n".join(map(json.dumps, lines)))
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    assert json.loads((tree / "model/labels_info.json").read_text()) == {"labels": ["BLUE", "RED"]}
    for part, count in (("training", 18), ("validation", 4), ("test", 2)):
        assert f"{part}: {count} images of 2 classes (BLUE {count // 2}, RED {count // 2})" in done.stdout
    with (tree / "output/data/predictions.csv").open(encoding="utf-8", newline="") as file:
        assert {row["file"] for row in csv.DictReader(file)} == {
            f"{name}-{number:02}.jpg" for name in ("blue", "red") for number in (0, 1)
        }
    assert (tree / "output/data/report.html").is_file()


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    """A class in Latin-1 without an image, a split, a model folder that is a file -> all of it in one failure."""
    tree = make_tree(tmp_path, {"train": COLOURS["blue"], "test": COLOURS["red"]}, count=1)
    os.mkdir(os.fsencode(tree / "input/data/training") + b"/\xe9t\xe9")  # noqa: PTH102 - a name that is not UTF-8
    (tree / "model").write_text("")
    done = run_train(tree)
    assert done.returncode == 1
    assert failure(tree).startswith("PlatformError: 4 problems were found before training:")
    for words in (f"{tree / 'model'} cannot be written to", "\\xe9t\\xe9", "test, train in the training channel look"):
        assert words in failure(tree)
    assert "Traceback" not in done.stderr
