"""What the drift monitoring of an endpoint needs, declared once: when it runs, on what, and where the alarm goes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.sagemaker.option_reading import read, reject
from image_classifier.contract import durations
from image_classifier.contract.declaration import Declaration, declarations_of, declare

_SINCE: dict[str, Any] = {"since": "0.5", "builtin": False}
_HOUR, _WEEK = 3_600, 604_800
_HOURS_OF_A_CRON = 24


@dataclass(frozen=True, kw_only=True)
class MonitorOptions:
    """How an endpoint is monitored."""

    every: str = declare(
        "1d", **_SINCE, meaning="Period in whole hours, from 1h to 7d, or cron(...) of EventBridge Scheduler in UTC."
    )
    window_hours: int = declare(
        0,
        **_SINCE,
        minimum=0,
        maximum=8784,
        meaning="Hours before a run whose requests are compared; 0: one period, 24 with cron(...).",
    )
    max_images: int = declare(
        2000, **_SINCE, minimum=30, maximum=100_000, meaning="Images that are compared; of more, a random sample."
    )
    scheduler_role: str = declare(
        "", **_SINCE, meaning="ARN of the role with which EventBridge Scheduler starts the jobs."
    )
    job_instance_type: str = declare("ml.m5.large", **_SINCE, meaning="Type of the Processing job's instance.")
    job_volume_gb: int = declare(
        30, **_SINCE, minimum=1, maximum=16_384, meaning="Size of its disk, which holds all captured lines, in GB."
    )
    alarm_email: str = declare(
        "", **_SINCE, meaning="Address that the alarm writes to, after AWS has asked it for a confirmation."
    )
    sns: str = declare("", **_SINCE, meaning="ARN of an SNS topic of yours that the alarm notifies.")

    @property
    def period_seconds(self) -> int | None:
        """The period in seconds; None with cron(...), whose runs may be at irregular intervals."""
        return None if self.every.startswith("cron(") else durations.seconds(self.every)

    @property
    def expression(self) -> str:
        """The expression of EventBridge Scheduler."""
        period = self.period_seconds
        # In hours: the unit is in the plural for every period but one hour.
        return self.every if period is None else "rate(1 hour)" if period == _HOUR else f"rate({period // _HOUR} hours)"

    @property
    def hours(self) -> int:
        """Hours whose requests a run compares."""
        period = self.period_seconds
        return self.window_hours or (period // _HOUR if period else _HOURS_OF_A_CRON)

    @property
    def alarm_seconds(self) -> int:
        """The alarm's period; CloudWatch accepts at most seven days."""
        return self.period_seconds or min(self.hours * _HOUR, _WEEK)


DECLARATIONS: tuple[Declaration, ...] = declarations_of(MonitorOptions)


def parse(given: Mapping[str, Any]) -> MonitorOptions:
    """Return the options with defaults for those that are not given.

    Raises:
        UserError: One message with every problem: unknown names, values that are not allowed.
    """
    found, problems = read(MonitorOptions, given)
    if not _is_period(found.every) and not re.fullmatch(r"cron\(\S+( \S+){5}\)", found.every):
        problems.append(
            f"every is {found.every!r}; allowed: whole hours from 1h to 7d, or cron(...) with six fields, such as "
            "cron(0 6 * * ? *) for every day at 06:00 UTC."
        )
    if found.alarm_email and not re.fullmatch(r"[^@\s]+@[^@\s]+", found.alarm_email):
        problems.append(f"alarm_email is {found.alarm_email!r}; allowed: an e-mail address.")
    if found.alarm_email and found.sns:
        problems.append("alarm_email makes a topic of its own: leave sns or alarm_email out.")
    reject(problems)
    return found


def _is_period(text: str) -> bool:
    try:
        period = durations.seconds(text)
    except ValueError:
        return False
    return _HOUR <= period <= _WEEK and period % _HOUR == 0
