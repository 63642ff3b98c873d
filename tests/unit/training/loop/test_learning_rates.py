"""The learning rate of every step, on values."""

import math

import pytest

from image_classifier.training.loop import learning_rates
from tests.unit.training import small


def rates(steps: int, **given: object) -> list[float]:
    """Return the rate of every step of a job, with learning_rate 0.8."""
    values = small.settings(learning_rate=0.8, **given)
    return [learning_rates.rate(values, step, steps) for step in range(steps)]


def test_default_is_constant() -> None:
    """The default -> learning_rate in every step."""
    assert rates(5) == [0.8] * 5


def test_linear_falls_evenly_and_never_to_zero() -> None:
    """Four steps -> the full rate, then three, two and one quarter of it."""
    assert rates(4, learning_rate_schedule="linear") == pytest.approx([0.8, 0.6, 0.4, 0.2])


def test_cosine_falls_along_half_a_wave() -> None:
    """Six steps -> half of one plus the cosine of 0, 30, 60, 90, 120 and 150 degrees."""
    half_root = math.sqrt(3) / 2
    expected = [0.4 * (1 + cosine) for cosine in (1, half_root, 0.5, 0, -0.5, -half_root)]
    assert rates(6, learning_rate_schedule="cosine") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("schedule", "rest"), [("constant", [0.8, 0.8]), ("linear", [0.8, 0.4]), ("cosine", [0.8, 0.4])]
)
def test_warm_up_rises_in_a_line_from_above_zero(schedule: str, rest: list[float]) -> None:
    """Three of five steps of warm-up -> one, two, three quarters of the rate, then the schedule from its start."""
    assert rates(5, learning_rate_schedule=schedule, warmup_fraction=0.6) == pytest.approx([0.2, 0.4, 0.6, *rest])


def test_warm_up_of_the_whole_job() -> None:
    """A warm-up of the whole job -> rises to the end without a division by zero; a single step has half the rate."""
    assert rates(3, warmup_fraction=1, learning_rate_schedule="linear") == pytest.approx([0.2, 0.4, 0.6])
    assert rates(1, warmup_fraction=1) == pytest.approx([0.4])


def test_warm_up_of_less_than_half_a_step() -> None:
    """A fraction that rounds to 0 steps -> no warm-up."""
    assert rates(4, warmup_fraction=0.1) == [0.8] * 4
