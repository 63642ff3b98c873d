"""The whole evaluation: every section that the evidence allows, and a reason for each that it does not."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from image_classifier import imaging
from image_classifier.evaluation import calibration, judgement
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Evidence, Head, Split
from image_classifier.evaluation.probes import Network
from tests.unit.evaluation.labelled import split_of

NAMES = ("dark", "grey", "bright")
SIZE = (8, 8)
HEAD = Head(np.array([[-60, 0, 60]], np.float32), np.array([20, 5, -40], np.float32))
"""On the mean brightness of an image in [0, 1]."""


def features(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean brightness (n, 1)."""
    return np.asarray(pixels.mean(axis=(1, 2, 3), dtype=np.float32)[:, np.newaxis] / 255, np.float32)


def probabilities(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return those of `HEAD`."""
    logits = found @ HEAD.kernel + HEAD.bias
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)


NETWORK = Network(
    lambda pixels: (probabilities(features(pixels)), features(pixels)), SIZE, partial(imaging.load_pixels, size=SIZE)
)


def split(folder: Path, name: str, count: int, seed: int) -> Split:
    """Write textures of three levels of brightness and return them with features and probabilities."""
    noise, files, rows = np.random.default_rng(seed), [], []
    for label, level in enumerate((40, 128, 216)):
        (folder / name / NAMES[label]).mkdir(parents=True)
        for index in range(count):
            pixels = np.clip(level + noise.normal(0, 30, (*SIZE, 3)), 0, 255).astype(np.uint8)
            files.append(f"{NAMES[label]}/{index}.png")
            rows.append(pixels)
            Image.fromarray(pixels.repeat(4, axis=0).repeat(4, axis=1)).save(folder / name / files[-1])
    found = features(np.stack(rows))
    return Split(name, folder / name, tuple(files), np.arange(3).repeat(count), probabilities(found), found)


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """Sixty images to judge, one of which has a wrong label, and 120 for training."""
    judged, training = split(tmp_path, VALIDATION, 20, 1), split(tmp_path, TRAINING, 40, 2)
    judged.labels[0] = 2
    return Evidence(NAMES, judged, (training,), HEAD)


def test_whole_evidence_fills_every_section(evidence: Evidence) -> None:
    """Features, head and network -> the planted label is the one mistake, explained; scores of unfamiliar images."""
    found = judgement.evaluate(evidence, NETWORK)
    assert found.score.accuracy.count == 59
    assert found.mistakes.confidently_wrong == (0,)
    assert set(found.occlusion_maps) == {0}
    assert found.label_issues is not None
    assert [(one.split, one.row, one.suggested) for one in found.label_issues] == [(VALIDATION, 0, 0)]
    assert found.familiarity is not None
    assert found.familiarity.shape == (60,)
    assert found.separations is not None
    assert {"blank images", "images of noise"} <= {one.name for one in found.separations}
    assert set(found.traits) == {VALIDATION, TRAINING}
    assert found.left_out == {judgement.LEARNING_CURVE: "it takes at least four training images"}


def test_labelled_images_alone_leave_sections_out(evidence: Evidence) -> None:
    """A model without features, training images and network -> the score, and a reason for each section left out."""
    bare = Evidence(NAMES, replace(evidence.judged, features=None))
    found = judgement.evaluate(bare)
    assert found.score.accuracy.count == 59
    assert (found.familiarity, found.separations, dict(found.occlusion_maps)) == (None, None, {})
    assert set(found.left_out) == {
        judgement.TRAINING_LABELS,
        judgement.FAMILIARITY,
        judgement.LEARNING_CURVE,
        judgement.OCCLUSION,
    }


def test_rows_without_predictions_are_not_doubted(evidence: Evidence) -> None:
    """Training images that were never held out, before one whose label is wrong -> its own row is in the issue."""
    training = evidence.others[0]
    assert training.probabilities is not None
    training.probabilities[:50] = np.nan
    training.labels[100] = 0
    found = judgement.evaluate(evidence)
    assert found.label_issues is not None
    assert {(one.split, one.row) for one in found.label_issues} == {(VALIDATION, 0), (TRAINING, 100)}


def test_evaluation_ends_where_its_check_raises(evidence: Evidence) -> None:
    """A check that raises at its tenth call -> the error passes through."""
    calls = iter(range(9))

    def check() -> None:
        next(calls)

    with pytest.raises(StopIteration):
        judgement.evaluate(evidence, NETWORK, check=check)


def test_known_traits_are_not_read_again(evidence: Evidence, tmp_path: Path) -> None:
    """Traits of another call, and files that are gone -> the same duplicates and slices."""
    first = judgement.evaluate(evidence)
    (tmp_path / VALIDATION).rename(tmp_path / "elsewhere")
    second = judgement.evaluate(evidence, known_traits=first.traits)
    assert second.traits == first.traits
    assert second.slices == first.slices


@pytest.mark.parametrize("temperature", [0.3, 3.0])
def test_calibration_does_not_change_which_labels_are_doubted(temperature: float) -> None:
    """Flipped labels in two splits, logits of validation divided -> the clear ones, as without the division."""
    truth = np.arange(200) % 2
    confidence = np.where(np.arange(200) % 4 < 2, 0.9, 0.7)
    predicted = np.stack([np.where(truth == index, confidence, 1 - confidence) for index in (0, 1)], axis=1)
    given = truth.copy()
    given[:20:2] = 1 - given[:20:2]
    uncalibrated = split_of(given, predicted), split_of(given, predicted, TRAINING)
    validation, training = uncalibrated
    assert validation.probabilities is not None
    divided = replace(validation, probabilities=calibration.apply_temperature(validation.probabilities, temperature))

    def doubted(judged: Split, temperature: float) -> set[tuple[str, int]]:
        known = Evidence(("a", "b"), judged, (training,), temperature=temperature)
        traits = {one.name: [None] * len(one) for one in known.splits}
        issues = judgement.of_arrays(known, known_traits=traits).label_issues
        assert issues is not None
        return {(issue.split, issue.row) for issue in issues}

    expected = {(name, row) for name in (TRAINING, VALIDATION) for row in range(0, 20, 4)}
    assert doubted(validation, 1.0) == doubted(divided, temperature) == expected
    # Judged by the calibrated probabilities, clear ones of validation are clear no more, or others are clear too.
    assert doubted(divided, 1.0) != expected
