"""The settings of a monitoring job: environment variables, and what the platform writes to /opt/ml/config."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from image_classifier.contract import drift_metrics
from image_classifier.contract import monitoring_variables as variables
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import read_json
from image_classifier.contract.variable import Variable
from image_classifier.monitoring import captures
from image_classifier.monitoring.captures import Window

CAPTURE_FORMAT = "sagemakerCaptureJson"


@dataclass(frozen=True)
class Settings:
    """What a job does; see `contract.monitoring_variables`."""

    source: Path
    output: Path
    model: Path
    baseline_statistics: Path | None
    baseline_constraints: Path | None
    window: Window
    most_images: int
    metrics_file: bool
    metrics_in_log: bool
    names: Mapping[str, str]
    """Dimensions of the metrics: `Endpoint` and `MonitoringSchedule`, as far as they are known."""

    @classmethod
    def read(cls, environment: Mapping[str, str], now: datetime) -> "Settings":
        """Read the settings.

        Raises:
            UserError: A value is not allowed.
        """
        _reject_other_formats(variables.DATASET_FORMAT.read(environment))
        named = {drift_metrics.ENDPOINT: variables.ENDPOINT_NAME, "MonitoringSchedule": variables.SCHEDULE_NAME}
        names = {name: found for name, variable in named.items() if (found := variable.read(environment))}
        return cls(
            source=Path(variables.DATASET_SOURCE.read(environment)),
            output=Path(variables.OUTPUT_PATH.read(environment)),
            model=Path(variables.MODEL.read(environment)),
            baseline_statistics=_path(variables.BASELINE_STATISTICS, environment),
            baseline_constraints=_path(variables.BASELINE_CONSTRAINTS, environment),
            window=_window(environment, now),
            most_images=variables.MOST_IMAGES.read(environment),
            metrics_file=variables.PUBLISH_METRICS.read(environment) == "Enabled",
            metrics_in_log=variables.METRICS_IN_LOG.read(environment),
            names=names,
        )


def _path(variable: Variable[str], environment: Mapping[str, str]) -> Path | None:
    found = variable.read(environment)
    return Path(found) if found else None


def _window(environment: Mapping[str, str], now: datetime) -> Window:
    start, end = (_time(variable, environment) for variable in (variables.START_TIME, variables.END_TIME))
    hours = variables.WINDOW_HOURS.read(environment)
    if start is None and hours:
        start = (end or now) - timedelta(hours=hours)
    if start and end and start >= end:
        raise UserError(
            f"start_time is {start.isoformat()}, end_time {end.isoformat()}; allowed: a start before the end."
        )
    return Window(start, end)


def _time(variable: Variable[str], environment: Mapping[str, str]) -> datetime | None:
    text = variable.read(environment)
    try:
        return captures.parse_time(text) if text else None
    except ValueError:
        raise UserError(f"{variable.name} is {text!r}; allowed: {variable.allowed}.") from None


def _reject_other_formats(text: str) -> None:
    if not text:
        return
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    if not isinstance(found, dict) or CAPTURE_FORMAT not in found:
        raise UserError(
            f"dataset_format is {text[:80]!r}; allowed: {CAPTURE_FORMAT}, the captured lines of an endpoint."
        )


def is_first_host(config: Path) -> bool:
    """Return whether this is the host that analyses: of several, all of which have all data, the first by name.

    `config` is the platform's folder, /opt/ml/config.

    Raises:
        UserError: `resourceconfig.json` is not valid JSON.
    """
    found = read_json(config / "resourceconfig.json", "an object with the hosts")
    hosts = found.get("hosts") if isinstance(found, dict) else None
    return not isinstance(hosts, list) or not hosts or found.get("current_host") == min(map(str, hosts))


def job_name(config: Path) -> str | None:
    """Return the name of the Processing job by `processingjobconfig.json`; None where the platform wrote none.

    Raises:
        UserError: The file is not valid JSON.
    """
    found = read_json(config / "processingjobconfig.json", "the configuration of a Processing job")
    name = found.get("ProcessingJobName") if isinstance(found, dict) else None
    return str(name) if name else None
