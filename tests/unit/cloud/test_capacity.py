"""Which instance types are tried in which order, and when an attempt is the last one."""

import pytest

from image_classifier.cloud import remedies
from image_classifier.cloud.sagemaker import capacity, options
from image_classifier.contract.errors import UserError


def test_spot_types_are_tried_one_by_one_and_on_demand_types_at_once() -> None:
    """Given three types -> as many spot jobs in turn, or one on-demand job that names them all."""
    spot = capacity.attempts(options.parse({"instance_type": "ml.m5.large, ml.m5.xlarge,ml.c5.xlarge"}))
    assert [spot.variant(number).instance_type for number in range(4)] == [
        "ml.m5.large",
        "ml.m5.xlarge",
        "ml.c5.xlarge",
        "ml.m5.large",
    ]
    on_demand = capacity.attempts(options.parse({"instance_type": ["ml.m5.large", "ml.c5.xlarge"], "spot": False}))
    assert on_demand.variant(1).instance_type == "ml.m5.large,ml.c5.xlarge"


def test_without_patience_each_type_is_tried_once() -> None:
    """Given no retry_for -> the second type follows at once, and after the last one there is no attempt."""
    found = capacity.attempts(options.parse({"instance_type": "ml.m5.large,ml.c5.xlarge"}))
    assert found.pause_before(1, 0.0) == 0.0
    assert found.pause_before(2, 0.0) is None


def test_pauses_grow_with_jitter_and_end_with_the_patience() -> None:
    """Given 30 minutes -> pauses of 15-30 s, 30-60 s, ... at most 10 min, none of which ends after the 30 minutes."""
    found = capacity.attempts(options.parse({"instance_type": "ml.m5.large", "retry_for": "30m"}))
    pauses = [found.pause_before(round_number, 0.0) or 0.0 for round_number in (1, 2, 3, 60)]
    for pause, longest in zip(pauses, (30, 60, 120, 600), strict=True):
        assert longest / 2 <= pause <= longest
    assert len({found.pause_before(1, 0.0) for _ in range(20)}) > 1
    assert found.pause_before(1, 1_800.0) is None


@pytest.mark.parametrize(
    "given",
    [
        {"instance_type": ""},
        {"instance_type": "a,b,c,d,e,f"},
        {"instance_type": "ml.m5.large,ml.m5.large"},
        {"retry_for": "soon"},
        {"retry_for": "0m"},
    ],
)
def test_other_values_are_rejected(given: dict[str, str]) -> None:
    """Given no type, six, one twice, or no duration -> an error that names the option."""
    with pytest.raises(UserError, match=next(iter(given))):
        options.parse(given)


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("ResourceLimitExceeded", "The account-level service limit 'ml.g5.xlarge for training job usage' is 0,", True),
        ("", "CapacityError: Unable to provision requested ML compute capacity.", True),
        ("", "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error.", True),
        ("ThrottlingException", "Rate exceeded", False),
        ("", "AlgorithmError: UserError: No image in /opt/ml/input/data/training", False),
    ],
)
def test_shortages_are_told_from_other_errors(code: str, message: str, expected: bool) -> None:
    """Given an error code or a failure reason -> whether another instance type, or patience, can help."""
    assert remedies.is_shortage(code, message) is expected
