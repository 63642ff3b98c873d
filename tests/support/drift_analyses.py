"""Analyses of drift in every state that the page has."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from image_classifier.evaluation.drift import baseline
from image_classifier.evaluation.drift.baseline import Baseline
from image_classifier.evaluation.drift.comparison import compare
from image_classifier.evaluation.drift.verdict import conclude
from image_classifier.evaluation.evidence import VALIDATION, Evidence, Split
from image_classifier.monitoring import analysis
from image_classifier.monitoring.analysis import Analysis
from image_classifier.monitoring.captures import Reading, Window
from tests.support import captured, monitored
from tests.unit.evaluation.drift import observed

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


def analysed(folder: Path, count: int, light: float = 1.0) -> Analysis:
    """Analyse a period of captured requests."""
    captured.write(folder, monitored.lines(2, count, light))
    return analysis.analyse(folder, monitored.known(), Window(), 2000, NOW)


def of_many_classes(classes: int) -> Analysis:
    """Analyse synthetic observations of a model with many classes and embeddings."""
    random = np.random.default_rng(0)
    names = tuple(f"class {number} {'x' * 60}" for number in range(classes))
    labels = np.repeat(np.arange(classes), 4)
    probabilities = (np.eye(classes)[labels] * 0.9 + 0.1 / classes).astype(np.float32)
    features = random.normal(size=(len(labels), 24)).astype(np.float32)
    files = tuple(map(str, range(len(labels))))
    known: Baseline = baseline.build(
        Evidence(names, Split(VALIDATION, Path("x"), files, labels, probabilities, features)),
        {VALIDATION: observed.traits(random, len(labels))},
    )
    seen = observed.production(random, 300)
    profile = replace(seen, predicted=random.integers(0, classes // 2, 300)).profile(names)
    found = compare(known, profile, features + np.float32(1))
    return Analysis(
        known, profile, found, conclude(found), Reading(), Window(NOW, NOW), NOW, names={"Endpoint": HOSTILE}
    )


def states(folder: Path) -> dict[str, Analysis]:
    """Return an analysis for each state; captured lines are written below a folder."""
    return {
        "same": analysed(folder / "same", 120),
        "darker": analysed(folder / "darker", 120, 0.6),
        "few": analysed(folder / "few", 20),
        "nothing": analysed(folder / "nothing", 0),
        "many": of_many_classes(200),
    }
