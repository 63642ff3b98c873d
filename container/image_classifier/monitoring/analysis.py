"""The whole analysis: captured lines and a baseline to a comparison with everything that a report says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from image_classifier.contract.drift_metrics import ENDPOINT
from image_classifier.evaluation.drift import comparison, verdict
from image_classifier.evaluation.drift.baseline import Baseline
from image_classifier.evaluation.drift.comparison import DEFAULT, Comparison, Thresholds
from image_classifier.evaluation.drift.profile import Profile
from image_classifier.evaluation.drift.verdict import DriftVerdict
from image_classifier.monitoring import captures, observing
from image_classifier.monitoring.captures import Reading, Window


@dataclass(frozen=True)
class Analysis:
    """A comparison, and where its images came from."""

    baseline: Baseline
    profile: Profile
    comparison: Comparison
    verdict: DriftVerdict
    reading: Reading
    window: Window
    time: datetime
    """When the analysis was made."""
    unreadable_requests: int = 0
    undecodable_images: int = 0
    unanswered_images: int = 0
    names: Mapping[str, str] = field(default_factory=dict)
    """Endpoint and schedule, for titles and the dimensions of metrics."""
    job: str | None = None
    """Name of the Processing job."""


def analyse(
    source: Path,
    baseline: Baseline,
    window: Window,
    limit: int,
    time: datetime,
    thresholds: Thresholds = DEFAULT,
    names: Mapping[str, str] | None = None,
    job: str | None = None,
) -> Analysis:
    """Read captured lines and compare them with a baseline.

    Raises:
        UserError: The file or folder does not exist.
        PlatformError: A file cannot be read.
    """
    reading = Reading()
    paths = captures.files(source, window)
    lines = captures.read(paths, window, limit, reading)
    observed = observing.observe(lines, baseline.class_names, limit)
    profile = observed.observations.profile(baseline.class_names)
    found = comparison.compare(baseline, profile, observed.observations.embeddings, thresholds)
    endpoint = captures.endpoint_of(source, paths)
    return Analysis(
        baseline=baseline,
        profile=profile,
        comparison=found,
        verdict=verdict.conclude(found),
        reading=reading,
        window=window,
        time=time,
        unreadable_requests=observed.unreadable_requests,
        undecodable_images=observed.undecodable_images,
        unanswered_images=observed.unanswered_images,
        names={**({ENDPOINT: endpoint} if endpoint else {}), **(names or {})},
        job=job,
    )


def to_json(analysis: Analysis) -> dict[str, Any]:
    """Return the content of `drift.json`."""
    found, reading = analysis.comparison, analysis.reading
    return {
        "version": 1,
        "verdict": analysis.verdict.text,
        "drifted": bool(found.drifted) if found.is_conclusive else None,
        "time": analysis.time.isoformat(),
        "names": dict(analysis.names),
        "job": analysis.job,
        "window": {name: end and end.isoformat() for name, end in vars(analysis.window).items()},
        "images": found.images,
        "baseline_images": found.baseline_images,
        "captured": {
            "files": reading.files,
            "lines": reading.lines,
            "corrupt_lines": reading.corrupt,
            "lines_outside_window": reading.outside,
            "requests": reading.used,
            "unreadable_requests": analysis.unreadable_requests,
            "undecodable_images": analysis.undecodable_images,
            "unanswered_images": analysis.unanswered_images,
        },
        "checks": [
            {
                "feature": check.feature,
                "drifted": check.drifted,
                "test": check.test.value,
                "statistic": check.statistic,
                "p_value": check.p_value,
                "significant": check.significant,
                "effect": {"kind": check.kind.value, "value": check.effect, "threshold": check.threshold},
                "detail": check.detail,
            }
            for check in found.checks
        ],
        "label_shift": _label_shift(found),
        "left_out": dict(found.left_out),
    }


def _label_shift(found: Comparison) -> dict[str, Any] | None:
    shift = found.label_shift
    if shift is None:
        return None
    return {
        "accuracy": shift.accuracy,
        "expected_accuracy": shift.expected_accuracy,
        "classes": [
            {
                "name": one.name,
                "baseline": one.baseline,
                "estimated": one.estimated,
                "interval": [one.interval.low, one.interval.high],
            }
            for one in shift.classes
        ],
    }
