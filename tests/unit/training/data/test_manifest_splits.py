"""Manifests of a job's channels: the splits that they give, and what contradicts them."""

import json
from pathlib import Path

import pytest

from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data import preflight, splits
from tests.unit.training import small
from tests.unit.training.manifest_channels import IMAGES, ROWS, channel, labels
from tests.unit.training.trees import put, rejected


def with_splits(given: list[str]) -> str:
    """Return a CSV manifest with a split for each row."""
    return "\n".join(["path,label,split", *(f"{row},{split}" for row, split in zip(ROWS, given, strict=True))])


def test_given_splits_replace_the_automatic_one(opt_ml: OptMl, training: Path) -> None:
    """Rows for training, validation and test -> the splits of the job, and nothing is split off."""
    training.rename(training.with_name("elsewhere"))
    channel(training, with_splits(["train", "", "val", "validation", "test", "Test", "", "train"]))
    data = splits.read(opt_ml, small.settings())
    assert data.validation_given
    assert data.test is not None
    found = [sorted(labels(part)) for part in (data.training, data.validation, data.test)]
    assert found == [[IMAGES[n] for n in (0, 1, 6, 7)], [IMAGES[n] for n in (2, 3)], [IMAGES[n] for n in (4, 5)]]
    assert {part.class_names for part in (data.training, data.validation, data.test)} == {("cat", "dog")}


def test_without_given_validation_a_part_is_split_off(opt_ml: OptMl, training: Path) -> None:
    """Rows for training and test alone -> validation comes from training, never from test."""
    training.rename(training.with_name("elsewhere"))
    channel(training, with_splits(["train"] * 6 + ["test"] * 2))
    data = splits.read(opt_ml, small.settings())
    assert not data.validation_given
    assert data.test is not None
    assert set(labels(data.test)) == set(IMAGES[6:])
    assert {*labels(data.training), *labels(data.validation)} == set(IMAGES[:6])


def test_split_given_twice_is_rejected(opt_ml: OptMl, training: Path) -> None:
    """A validation split and a validation channel; a class that is never trained -> all problems at once."""
    training.rename(training.with_name("elsewhere"))
    channel(training, with_splits(["train", "validation", "train", "test", "", "val", "", "val"]))
    put(opt_ml.channel_dir("validation"), "cat/1.jpg", "dog/1.jpg")
    said = rejected(opt_ml)
    assert "The validation split is given twice: by the manifest manifest.csv" in said
    assert "has labels without an image of the split train: dog" in said


def test_validation_channel_by_manifest(opt_ml: OptMl, training: Path) -> None:
    """A validation channel with a manifest of its own -> training's classes; foreign labels and splits are rejected."""
    folder = opt_ml.channel_dir("validation")
    channel(folder, "images/1.jpg,red\nimages/2.jpg,blue,validation")
    assert splits.read(opt_ml, small.settings()).validation.counts() == {"blue": 1, "red": 1}
    channel(folder, "images/1.jpg,green\nimages/2.jpg,blue,train")
    said = rejected(opt_ml)
    assert "has labels that the training channel lacks: green" in said
    assert "has lines of the split training in the validation channel" in said


def test_sharded_manifest_is_rejected(opt_ml: OptMl, training: Path) -> None:
    """A manifest in a channel of which each host has a part -> rejected with what to use."""
    channel(training, "\n".join(ROWS))
    config = json.dumps({"training": {"S3DistributionType": "ShardedByS3Key"}})
    put(opt_ml.base, opt_ml.input_data_config_file.relative_to(opt_ml.base).as_posix(), content=config.encode())
    assert "Use FullyReplicated" in rejected(opt_ml)


def test_manifest_beside_class_folders_is_said(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A manifest beside class folders -> one line says that the folders do not name the classes."""
    put(training, "manifest.csv", content=b"blue/1.jpg,b\nred/1.jpg,r")
    preflight.check(opt_ml, small.settings())
    assert (
        "is read by its manifest manifest.csv: 2 image(s). Folder names are not used as classes"
        in capsys.readouterr().out
    )
