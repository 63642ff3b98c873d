"""Wait for what AWS works on: poll until it has finished or the time is up."""

import math
import time
from collections.abc import Callable
from typing import TypeVar

from image_classifier.cloud.sagemaker import failures
from image_classifier.cloud.sagemaker.kinds import Kind
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.contract.errors import PlatformError

PAUSE = 10.0
"""Seconds between two polls of a job, an endpoint or an execution."""
PATIENCE = 1_800.0
"""Seconds for a job to save its model and stop, or for an endpoint to go."""
Found = TypeVar("Found")


def until(look: Callable[[], Found | None], patience: float = math.inf, pause: float | None = None) -> Found | None:
    """Look until there is a result, and return it; None if `patience` seconds have gone by without one.

    `pause` is the time between two polls, by default `PAUSE`. It polls at least once.
    """
    deadline = time.monotonic() + patience
    while True:
        found = look()
        if found is not None:
            return found
        wait = PAUSE if pause is None else pause
        if time.monotonic() + wait >= deadline:
            return None
        time.sleep(wait)


def until_ended(look: Callable[[], Found | None], target: str) -> None:
    """Look until there is a result; `target` is what ends, in words such as `The endpoint flowers`.

    Raises:
        PlatformError: `PATIENCE` seconds have gone by without one.
    """
    if until(look, PATIENCE) is None:
        raise PlatformError(f"{target} did not end within {PATIENCE:.0f} s. Try again.")


def until_completed(session: Session, kind: Kind, name: str, group: str, announce: Callable[[str], None]) -> None:
    """Wait for a job of a kind, and announce each change of its status; `group` has its log.

    Raises:
        ExplainedError: It failed or was stopped, with its reason and the last lines of its log.
    """
    target, shown = f"The {kind.words} {name}", ""

    def look() -> bool | None:
        nonlocal shown
        described = session.send(kind.call("Describe", name))
        status = str(described[kind.status])
        if status == "Completed":
            return True
        if status in ("Failed", "Stopped"):
            said = [str(described[key]) for key in ("ExitMessage", "FailureReason") if described.get(key)]
            raise failures.explain(session, target, " ".join(said) or status, group, f"{name}/")
        if status != shown:
            announce(f"{kind.words.capitalize()} {name}: {status}")
            shown = status
        return None

    until(look)
