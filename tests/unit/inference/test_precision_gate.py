"""The gate of a lower precision: each bound alone, at its edge and beyond."""

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.inference.openvino_model import precision_gate
from image_classifier.inference.openvino_model.precision_gate import judge

Table = NDArray[np.float32]


def calibrated(count: int, confidence: float = 0.8) -> tuple[NDArray[np.int64], Table]:
    """Return labels of two classes, and answers that are right as often as they say."""
    labels = (np.arange(count) % 2).astype(np.int64)
    wrong = np.arange(count) % 10 >= round(10 * confidence)
    answers = np.where(wrong, 1 - labels, labels)
    table = np.full((count, 2), 1 - confidence, np.float32)
    table[np.arange(count), answers] = confidence
    return labels, table


def flipped(table: Table, rows: NDArray[np.int64]) -> Table:
    """Return the table with other answers of equal confidence in some rows."""
    changed = table.copy()
    changed[rows] = changed[rows][:, ::-1]
    return changed


def right_rows(labels: NDArray[np.int64], table: Table) -> NDArray[np.int64]:
    """Return the rows of right answers."""
    return np.flatnonzero(table.argmax(axis=1) == labels)


def test_equal_probabilities_pass_with_figures_of_zero() -> None:
    """A lower precision that changes nothing passes, and its bound still says how little 200 images prove."""
    labels, table = calibrated(200)
    gate = judge(labels, table, table)
    assert (gate.passed, gate.failed_on, gate.images) == (True, (), 200)
    assert (gate.accuracy, gate.accuracy_f32) == (0.8, 0.8)
    assert (gate.label_flips, gate.calibration_change, gate.largest_difference) == (0, 0, 0)
    assert 0 < gate.drop_bound < 0.02


@pytest.mark.parametrize(("lost", "failed_on"), [(1, ()), (2, ("accuracy",))])
def test_half_a_point_of_accuracy_is_the_most_that_may_be_lost(lost: int, failed_on: tuple[str, ...]) -> None:
    """One image of 200 may be lost, two may not."""
    labels, table = calibrated(200)
    gate = judge(labels, table, flipped(table, right_rows(labels, table)[:lost]))
    # Two images more wrong also cost a point of calibration: confidence stays, accuracy falls.
    assert gate.failed_on == failed_on
    assert gate.accuracy_f32 - gate.accuracy == pytest.approx(lost / 200)


@pytest.mark.parametrize(("pairs", "failed_on"), [(2, ()), (3, ("label_flips",))])
def test_flips_count_even_if_as_many_answers_become_right_as_wrong(pairs: int, failed_on: tuple[str, ...]) -> None:
    """Two percent of the predictions may differ, although accuracy stays."""
    labels, table = calibrated(200)
    right = right_rows(labels, table)
    wrong = np.setdiff1d(np.arange(200), right)
    gate = judge(labels, table, flipped(table, np.concatenate([right[:pairs], wrong[:pairs]])))
    assert (gate.failed_on, gate.accuracy, gate.label_flips) == (failed_on, gate.accuracy_f32, pairs / 100)


@pytest.mark.parametrize(("confidence", "failed_on"), [(0.809, ()), (0.82, ("calibration",))])
def test_overconfidence_of_more_than_a_point_fails(confidence: float, failed_on: tuple[str, ...]) -> None:
    """The calibration error may rise by one point."""
    labels, table = calibrated(200)
    surer = np.where(table > 0.5, np.float32(confidence), np.float32(1 - confidence))
    gate = judge(labels, table, surer)
    assert gate.failed_on == failed_on
    assert gate.largest_difference == pytest.approx(confidence - 0.8, abs=1e-6)


def test_images_that_change_bins_cost_no_calibration() -> None:
    """Confidences that differ by at most 0.004 and no other answers -> the calibration changes by no more than that."""
    # In bins of its own each table's error differs by up to three points here, by chance, and three draws fail the
    # gate.
    draws = np.random.default_rng(0)
    for _ in range(50):
        first = draws.uniform(0.55, 0.95, 300)
        labels = (draws.random(300) > first).astype(np.int64)
        second = first + draws.uniform(-0.004, 0.004, 300)
        float32, lower = (np.stack([found, 1 - found], axis=1).astype(np.float32) for found in (first, second))
        gate = judge(labels, float32, lower)
        assert (gate.passed, gate.label_flips) == (True, 0)
        assert abs(gate.calibration_change) < 0.004


def test_better_accuracy_passes() -> None:
    """The bound is one-sided."""
    labels, table = calibrated(200)
    wrong = np.setdiff1d(np.arange(200), right_rows(labels, table))
    assert judge(labels, table, flipped(table, wrong[:2])).passed


def test_199_images_are_too_few() -> None:
    """Below 200 images even equal probabilities do not pass."""
    labels, table = calibrated(199)
    gate = judge(labels, table, table)
    assert gate.failed_on == ("images",)
    assert "199 validation images are fewer than the 200" in precision_gate.objection(gate)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_no_probability_fails_and_leaves_finite_figures(bad: float) -> None:
    """NaN and infinity of either fail, and the figures can be written as JSON."""
    labels, table = calibrated(400)
    broken = table.copy()
    broken[7] = bad
    for gate in (judge(labels, table, broken), judge(labels, broken, table), judge(labels, broken, broken)):
        assert "numbers" in gate.failed_on
        assert np.isfinite([gate.accuracy, gate.calibration_change, gate.largest_difference]).all()


def test_a_sigmoid_output_is_judged_like_two_classes() -> None:
    """One column, P(class 1), gives the figures of both columns."""
    labels, table = calibrated(200)
    lost = right_rows(labels, table)[:10]
    two, one = judge(labels, table, flipped(table, lost)), judge(labels, table[:, 1:], flipped(table, lost)[:, 1:])
    assert one.failed_on == two.failed_on == ("accuracy", "label_flips", "calibration")
    assert (one.accuracy, one.label_flips) == (two.accuracy, two.label_flips)


def test_a_quantisation_that_answers_one_class_is_rejected_on_all_counts() -> None:
    """A planted bad quantisation exceeds every bound."""
    labels, table = calibrated(300)
    constant = np.tile(np.array([[0.99, 0.01]], np.float32), (300, 1))
    gate = judge(labels, table, constant)
    assert gate.failed_on == ("accuracy", "label_flips", "calibration")
    assert precision_gate.objection(gate).count(";") == 2


@pytest.mark.parametrize("fitted", [False, True])
def test_images_of_a_refitted_head_are_named(fitted: bool) -> None:
    """The head was fitted on the gate's images too, or not -> the record and the sentence say so, or do not."""
    labels, table = calibrated(200)
    gate = judge(labels, table, table, fitted)
    assert gate.fitted == fitted
    assert (
        "200 validation images, on which the refitted head was fitted too," in precision_gate.sentence(gate)
    ) == fitted


def test_tables_of_different_shapes_are_an_error() -> None:
    """A mistake of the caller is not a failed gate."""
    labels, table = calibrated(200)
    with pytest.raises(ValueError, match=r"\(200, 2\) and \(100, 2\)"):
        judge(labels, table, table[:100])
