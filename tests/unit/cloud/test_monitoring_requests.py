from pathlib import Path
from typing import Any

import pytest

from image_classifier.cloud import s3
from image_classifier.cloud.sagemaker import calls, monitor_options, monitoring, options
from image_classifier.cloud.sagemaker.monitored import Monitored
from image_classifier.cloud.sagemaker.monitoring import EXECUTION_ID, Monitor
from image_classifier.contract.errors import UserError
from tests.support.golden_files import assert_golden
from tests.support.sagemaker_service import IMAGE, REGION, ROLE

GOLDEN = Path(__file__).parent / "golden"
SCHEDULER = "arn:aws:iam::123456789012:role/scheduler"


def monitor(endpoint: str = "flowers", **given: Any) -> Monitor:
    """Return how an endpoint is monitored, with some options."""
    storage = s3.parse("s3://bucket/image-classifier")
    captured = storage.below(f"captured/{endpoint}")
    artefact = "s3://bucket/image-classifier/jobs/flowers/output/model.tar.gz"
    target = Monitored(endpoint, "spring", captured.below(f"{endpoint}/all"), captured, artefact, IMAGE, ROLE)
    typed = options.parse({"image": IMAGE, "role": ROLE, "region": REGION, "kms_key": "alias/mine"})
    return Monitor(target, typed, monitor_options.parse({"scheduler_role": SCHEDULER, **given}), storage)


def test_requests_are_the_golden_ones_and_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a daily schedule with an address -> the golden requests in order, which the service models accept."""
    monkeypatch.setattr("image_classifier.cloud.sagemaker.tags.__version__", "1.2.3")
    found = monitor(alarm_email="me@example.com")
    planned = [*monitoring.requests(found, has_group=False, exists=False), monitoring.example_job(found)]
    calls.validate(planned)
    assert_golden(GOLDEN / "monitoring.json", [call.as_json() for call in planned])


def test_names_of_jobs_leave_room_for_the_execution_id() -> None:
    """Given the longest name of an endpoint and the length of a UUID as execution id -> names that AWS accepts."""
    for endpoint in ("e" * 63, f"{'e' * 19}-{'f' * 43}", "Shop"):
        found = monitor(endpoint)
        calls.validate([monitoring.create_processing_job(found, "0" * 36, ""), monitoring.schedule(found, exists=True)])
        name = str(monitoring.create_processing_job(found, EXECUTION_ID, "").parameters["ProcessingJobName"])
        assert name.endswith(f"-{EXECUTION_ID}")


@pytest.mark.parametrize(
    ("every", "expression", "hours", "alarm"),
    [
        ("1h", "rate(1 hour)", 1, 3_600),
        ("7d", "rate(168 hours)", 168, 604_800),
        ("1440m", "rate(24 hours)", 24, 86_400),
        ("cron(0 6 1 * ? *)", "cron(0 6 1 * ? *)", 24, 86_400),
    ],
)
def test_period_becomes_expression_window_and_alarm(every: str, expression: str, hours: int, alarm: int) -> None:
    """Given --every -> the schedule's expression, the hours that a run compares, and the alarm's period."""
    found = monitor_options.parse({"every": every})
    assert (found.expression, found.hours, found.alarm_seconds) == (expression, hours, alarm)


@pytest.mark.parametrize("every", ["30m", "8d", "90m", "0h", "daily", "rate(1 day)", "cron(0 6 * * *)"])
def test_other_periods_are_rejected(every: str) -> None:
    """Given a period that the alarm or the windows cannot have -> an error that names what is allowed."""
    with pytest.raises(UserError, match="from 1h to 7d, or cron"):
        monitor_options.parse({"every": every})
