"""Synthetic jobs of a console that have a result, with features from which heads can be fitted again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier.console.context import Console
from image_classifier.contract import report_files
from image_classifier.evaluation import archive, mistakes, scores
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Evidence, Split
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.label_issues import LabelIssue
from image_classifier.evaluation.report import page
from image_classifier.heads import linear_head
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment

CLASSES = ("circle", "square", "star")


def separable(folder: Path, name: str, images: int, seed: int, classes: tuple[str, ...] = CLASSES) -> Split:
    """Return images whose features tell their class, with a little overlap."""
    noise = np.random.default_rng(seed)
    labels = np.sort(noise.integers(len(classes), size=images))
    centres = np.random.default_rng(9).normal(0, 1, (len(classes), 32))
    features = (centres[labels] + noise.normal(0, 1.6, (images, 32))).astype(np.float32)
    files = tuple(f"{classes[label]}/{row:04}.png" for row, label in enumerate(labels))
    return Split(name, folder / name, files, labels, features=features)


def flipped(split: Split, rows: NDArray[np.int64], classes: int) -> Split:
    """Return a split in which some labels are wrong."""
    labels = split.labels.copy()
    labels[rows] = (labels[rows] + 1) % classes
    return replace(split, labels=labels)


def evaluation(folder: Path, wrong: int = 60, images: int = 400) -> Evaluation:
    """Return an evaluation of a head that was fitted on training images of which some labels are wrong."""
    training, judged = separable(folder, TRAINING, images, 1), separable(folder, VALIDATION, images // 2, 2)
    training = flipped(training, np.arange(0, wrong), len(CLASSES))
    assert training.features is not None
    assert judged.features is not None
    head = linear_head.fit(training.features, training.labels, len(CLASSES), 0.1)
    judged = replace(judged, probabilities=head.probabilities(judged.features))
    evidence = Evidence(CLASSES, judged, (training,), strength=0.1)
    return Evaluation(evidence, scores.measure(judged, CLASSES), mistakes.find(judged, len(CLASSES)), None)


def write(jobs: Path, name: str, found: Evaluation) -> Path:
    """Leave a result as a job does, and return the job's folder."""
    data = jobs / name / "output" / "data"
    data.mkdir(parents=True)
    archive.write(data / report_files.EVIDENCE, found, page.draw(found))
    return jobs / name


def with_issues(found: Evaluation, rows: range) -> Evaluation:
    """Return an evaluation whose labels to check are these training images."""
    training = found.evidence.training
    assert training is not None
    issues = tuple(
        LabelIssue(TRAINING, row, int(training.labels[row]), int(training.labels[row] - 1) % len(CLASSES), 0.1)
        for row in rows
    )
    return replace(found, label_issues=issues)


def write_files(found: Evaluation) -> None:
    """Write a small image for every file of an evaluation, in its class folder."""
    for split in found.evidence.splits:
        for row, path in enumerate(split.paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (24, 16), (row % 256, row // 256, 90)).save(path)


def job_on_files(console: Console, folder: Path, name: str, images: int = 400) -> Evaluation:
    """Leave a job that trained on files in `folder`, the first 12 labels of which are to be checked."""
    found = with_issues(evaluation(folder, images=images), range(12))
    write_files(found)
    job = write(console.jobs, name, found)
    channels = {split.name: str(split.folder) for split in found.evidence.splits}
    experiment.write(job / experiment.FILE, Experiment(name, channels[TRAINING], channels[VALIDATION]))
    return found
