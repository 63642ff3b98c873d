"""What the Try & deploy screen shows: the endpoints, the models, and the form of a new endpoint."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier.console.queueing.job import Job
from image_classifier.contract.errors import UserError
from image_classifier.runners.endpoints import docker, sagemaker, servers
from image_classifier.runners.endpoints.record import KINDS, Endpoint, EndpointStatus, State

_HOUR, _DAY = 3600, 86400
_MOST_PRICE = 1_000_000.0


@dataclass(frozen=True)
class Row:
    """An endpoint and its status."""

    endpoint: Endpoint
    status: EndpointStatus

    @property
    def uptime(self) -> str:
        """How long it has been running, such as `2 h 5 min`; empty when it is not."""
        if self.status.started is None:
            return ""
        seconds = max(0, round(time.time() - self.status.started))
        if seconds < 60:
            return f"{seconds} s"
        days, hours, minutes = seconds // _DAY, seconds % _DAY // _HOUR, seconds % _HOUR // 60
        parts = [(days, "d"), (hours, "h"), (minutes, "min")]
        return " ".join(f"{count} {unit}" for count, unit in parts if count)[:40]

    @property
    def cost(self) -> float | None:
        """What it has cost so far by the price that the user gave; None without one."""
        if self.endpoint.price_per_hour is None or self.status.started is None:
            return None
        return self.endpoint.price_per_hour * (time.time() - self.status.started) / _HOUR

    @property
    def tone(self) -> str:
        """The tone of its badge."""
        tones = {State.READY: "good", State.STARTING: "accent", State.STOPPING: "warn", State.FAILED: "bad"}
        return tones.get(self.status.state, "")


@dataclass(frozen=True)
class Request:
    """A valid form of a new endpoint."""

    job: str
    kind: str
    price_per_hour: float | None
    image: str
    options: Mapping[str, str]
    """Of SageMaker."""


def rows(home: Path) -> list[Row]:
    """Return all endpoints, those that run first."""
    found = [Row(endpoint, servers.status(home, endpoint)) for endpoint in servers.all_of(home)]
    return sorted(found, key=lambda row: row.status.state.is_over)


def models(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs that left a model which lies on this machine, the latest first."""
    return [job for job in jobs if job.has_model and (job.folder / "model").is_dir()]


def read(form: Mapping[str, str], names: Sequence[str]) -> Request:
    """Read the form of a new endpoint; `names` are the jobs that can be served.

    Raises:
        UserError: One message that lists every mistake.
    """
    job, kind, price = form.get("job", ""), form.get("where", KINDS[0]), form.get("price", "").strip()
    mistakes = []
    if job not in names:
        mistakes.append(f"Model: {job[:80]!r} is not a job with a model. Choose one of the list.")
    if kind not in KINDS:
        mistakes.append(f"Where: {kind[:80]!r} cannot be started from here; allowed: {', '.join(KINDS)}.")
    value: float | None = None
    if price:
        try:
            value = float(price.replace(",", "."))
        except ValueError:
            value = math.nan
        if not 0 <= value <= _MOST_PRICE:
            mistakes.append(f"Price per hour: {price[:40]!r} is not a number of at least 0, such as 0.12.")
    if mistakes:
        raise UserError(" ".join(mistakes))
    declared = sagemaker.declarations(kind) if kind in sagemaker.KINDS else ()
    options = {one.name: form.get(one.name, "").strip() for one in declared}
    return Request(job, kind, value, form.get("image", "").strip() or docker.IMAGE, options)
