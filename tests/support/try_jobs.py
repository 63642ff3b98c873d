"""A console with a finished job whose model tells colours apart, its images, and its evidence."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from image_classifier import artifacts
from image_classifier.console.context import Console
from image_classifier.contract import report_files
from image_classifier.evaluation import archive, mistakes, scores
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Evidence, Split
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, LogPart, State
from tests.platform import sample_images
from tests.support import tiny_models
from tests.support.consoles import make_console

CLASS_NAMES = ("red", "green", "blue")
_IMAGES = 8
"""Of each class and split."""


class FinishedJobs:
    """A runner whose jobs have all finished."""

    def check(self, experiment: Experiment, folder: Path) -> None:
        """Nothing is started here."""

    def start(self, experiment: Experiment, folder: Path) -> None:
        """Nothing is started here."""

    def status(self, folder: Path) -> JobStatus:
        """Return that it has finished."""
        return JobStatus(State.FINISHED, accuracy=0.9)

    def stop(self, folder: Path, now: bool = False) -> None:
        """Nothing runs here."""

    def resume(self, folder: Path) -> None:
        """Nothing runs here."""

    def log(self, folder: Path, offset: int = 0) -> LogPart:
        """Return an empty log."""
        return LogPart("", 0)


def finished_job(scratch: Path, name: str = "colours", with_evidence: bool = True) -> Console:
    """Return a console with one finished job, whose images lie below `scratch`."""
    job = scratch.resolve() / "home" / "jobs" / name
    model = tiny_models.write(job / "model", "tiny", features=True)
    artifacts.write_labels(model.folder, CLASS_NAMES)
    tiny_models.write_familiarity(model.folder)
    splits = [_split(job / "input" / "data" / part, part, seed) for seed, part in enumerate((VALIDATION, TRAINING))]
    if with_evidence:
        write_evidence(job, splits)
    experiment.write(job / experiment.FILE, Experiment(name, training=str(splits[1].folder)))
    return make_console(scratch, runners={experiment.LOCAL: FinishedJobs()})


def write_evidence(job: Path, splits: Sequence[Split], features_are_served: bool = True) -> Path:
    """Write the evidence of a job, judged on the first split; return its file."""
    judged, *others = splits
    evidence = Evidence(CLASS_NAMES, judged, tuple(others), features_are_served=features_are_served)
    path = job / "output" / "data" / report_files.EVIDENCE
    path.parent.mkdir(parents=True, exist_ok=True)
    assert archive.write(path, evaluation_of(evidence), {}) == ""
    return path


def evaluation_of(evidence: Evidence) -> Evaluation:
    """Return an evaluation with a score, and without anything that takes time."""
    return Evaluation(
        evidence=evidence,
        score=scores.measure(evidence.judged, evidence.class_names),
        mistakes=mistakes.find(evidence.judged, len(evidence.class_names)),
        label_issues=None,
    )


def _split(folder: Path, name: str, seed: int) -> Split:
    """Write images in shades of their class's colour; features are what the tiny model computes of them."""
    noise = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(CLASS_NAMES)), _IMAGES)
    shades = noise.integers(60, 100, (len(labels), 3))
    shades[np.arange(len(labels)), labels] += noise.integers(20, 120, len(labels))
    files = [f"{CLASS_NAMES[label]}/{row:02}.png" for row, label in enumerate(labels)]
    for file, shade in zip(files, shades, strict=True):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        content = sample_images.encode(Image.new("RGB", (64, 48), tuple(map(int, shade))), "PNG")
        (folder / file).write_bytes(content)
    logits = shades * (12 / 255)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    features = np.tile(shades / 255, 2).astype(np.float32)
    probabilities = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return Split(name, folder, tuple(files), labels.astype(np.int64), probabilities, features)
