"""Synthetic jobs of a console that have a result, with features from which heads can be fitted again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import report_files
from image_classifier.evaluation import archive, mistakes, scores
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Evidence, Split
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.report import page
from image_classifier.heads import linear_head

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
