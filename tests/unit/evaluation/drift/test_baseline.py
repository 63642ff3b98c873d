"""The drift baseline of an artefact: what it holds, its size, and that only a valid one is read."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier import artifacts
from image_classifier.contract.errors import UserError
from image_classifier.evaluation import array_file
from image_classifier.evaluation.drift import baseline
from image_classifier.evaluation.drift.baseline import Baseline
from image_classifier.evaluation.evidence import Evidence
from tests.unit.evaluation.drift import observed

NO_CATEGORIES: tuple[Any, ...] = ([1], {"format": 3}, {"format": {"png": "x"}}, {"format": {"png": -1}}, {"format": {}})


def built(evidence: Evidence) -> Baseline:
    """Return the baseline of a job."""
    random = np.random.default_rng(1)
    splits = (evidence.judged, *evidence.others)
    return baseline.build(evidence, {one.name: observed.traits(random, len(one)) for one in splits})


def test_predictions_are_those_of_the_judged_images() -> None:
    """Given 300 validation and 900 training images -> traits of 1,200, confusion and confidence of 300."""
    found = built(observed.evidence(np.random.default_rng(0)))
    assert found.profile.images == 1200
    assert found.profile.scalars["brightness"].total == 1200
    assert found.profile.scalars["confidence"].total == 300
    assert sum(found.profile.categories["predicted_label"].values()) == 300
    assert found.confusion is not None
    assert found.confusion.sum() == 300
    assert found.confusion.trace() > 240


def test_baseline_survives_its_file(tmp_path: Path) -> None:
    """Given a written baseline -> the same one is read, its half-precision arrays to 0.1 %."""
    known = built(observed.evidence(np.random.default_rng(0)))
    baseline.write(tmp_path, known)
    read = baseline.read(tmp_path)
    assert (read.class_names, read.profile.images) == (known.class_names, known.profile.images)
    assert read.profile.categories == known.profile.categories
    for name, column in known.profile.scalars.items():
        assert np.array_equal(read.profile.scalars[name].values, column.values)
        assert read.profile.scalars[name].total == column.total
    assert read.embedding is not None
    assert known.embedding is not None
    for field in dataclasses.fields(known.embedding):
        np.testing.assert_allclose(
            getattr(read.embedding, field.name), getattr(known.embedding, field.name), 2e-3, 2e-3
        )


def test_baseline_without_features_has_no_embeddings(tmp_path: Path) -> None:
    """Given a job without features -> a baseline without embeddings, which is read again."""
    given = observed.evidence(np.random.default_rng(0))
    known = built(Evidence(given.class_names, dataclasses.replace(given.judged, features=None)))
    baseline.write(tmp_path, known)
    assert baseline.read(tmp_path).embedding is None


def test_features_of_another_network_are_no_baseline() -> None:
    """Given features from before the network was tuned -> a baseline without embeddings, which serving cannot match."""
    given = observed.evidence(np.random.default_rng(0))
    assert built(given).embedding is not None
    assert built(dataclasses.replace(given, features_are_served=False)).embedding is None


def test_baseline_is_small(tmp_path: Path) -> None:
    """Given 1,280 features and 3,000 images -> a file of at most 400 KB."""
    given = observed.evidence(np.random.default_rng(0), 600, 2400)
    wide = [
        np.random.default_rng(index).normal(size=(len(one), 1280))
        for index, one in enumerate((given.judged, *given.others))
    ]
    splits = [
        dataclasses.replace(one, features=rows.astype(np.float32))
        for one, rows in zip((given.judged, *given.others), wide, strict=True)
    ]
    baseline.write(tmp_path, built(Evidence(given.class_names, splits[0], tuple(splits[1:]))))
    assert (tmp_path / artifacts.DRIFT_BASELINE_FILE).stat().st_size < 400_000


def test_model_without_a_baseline_names_the_hyperparameter(tmp_path: Path) -> None:
    """Given a folder without a baseline -> a sentence with the hyperparameter that makes jobs write one."""
    with pytest.raises(UserError, match="report=True"):
        baseline.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("description", np.frombuffer(b"{}", np.uint8)),
        ("description", np.frombuffer(b"[1]", np.uint8)),
        ("description", np.frombuffer(b"\xff\xfe{", np.uint8)),
        ("scalar/brightness", np.array([2, 1], np.float32)),
        ("scalar/brightness", np.zeros((2, 2), np.float32)),
        ("confusion", np.zeros((2, 2), np.int64)),
        ("confusion", np.full((3, 3), -1)),
        ("mean", np.zeros(3, np.float32)),
        ("basis", np.zeros(3, np.float16)),
        ("origin", None),
        ("covariance", "zeros"),
        ("description", np.frombuffer(b"[" * 100_000, np.uint8)),
        *(("description", {"categories": value}) for value in NO_CATEGORIES),
        ("description", {"images": float("inf")}),
    ],
)
def test_baseline_with_a_wrong_array_is_corrupt(tmp_path: Path, name: str, value: Any) -> None:
    """Given one array of another shape or content, or none -> a sentence that names the file, and no comparison."""
    known = built(observed.evidence(np.random.default_rng(0))).arrays()
    if isinstance(value, dict):
        described = json.loads(np.asarray(known[name], np.uint8).tobytes()) | value
        value = np.frombuffer(json.dumps(described).encode(), np.uint8)
    if isinstance(value, str):
        value = np.zeros_like(known[name])
    arrays = known | {name: value}
    if value is None:
        del arrays[name]
    array_file.write(tmp_path / artifacts.DRIFT_BASELINE_FILE, arrays)
    with pytest.raises(UserError, match=f"{artifacts.DRIFT_BASELINE_FILE} is corrupt"):
        baseline.read(tmp_path)


def test_large_features_are_read_again(tmp_path: Path) -> None:
    """Given features beyond what half precision holds -> the same baseline is read, not a corrupt one."""
    given = observed.evidence(np.random.default_rng(0))
    assert given.judged.features is not None
    judged = dataclasses.replace(given.judged, features=given.judged.features * np.float32(1e5))
    known = built(Evidence(given.class_names, judged))
    baseline.write(tmp_path, known)
    read = baseline.read(tmp_path)
    assert known.embedding is not None
    assert read.embedding is not None
    assert np.abs(known.embedding.sample).max() > np.finfo(np.float16).max
    np.testing.assert_allclose(read.embedding.sample, known.embedding.sample)
