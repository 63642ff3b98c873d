"""Synthetic observations of a three-class model, whose images can be made darker, rarer or otherwise different."""

from pathlib import Path

import numpy as np

from image_classifier.evaluation.drift.profile import Observations
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Evidence, Split
from image_classifier.evaluation.traits import Traits

NAMES = ("cat", "dog", "fox")
WIDTH = 32


def traits(random: np.random.Generator, count: int, darker: float = 1.0) -> list[Traits]:
    """Return the traits of images; `darker` scales their brightness."""
    return [
        Traits(
            format="jpeg" if random.random() < 0.9 else "png",
            width=int(random.choice([320, 640])),
            height=240,
            bytes=int(random.lognormal(10, 0.4)),
            brightness=float(random.beta(8, 8)) * darker,
            contrast=float(random.beta(4, 12)) * darker,
            sharpness=float(random.lognormal(-4, 0.5)),
            colourfulness=float(random.gamma(4, 10)),
            perceptual_hash=int(random.integers(2**63)),
        )
        for _ in range(count)
    ]


def answers(
    random: np.random.Generator,
    labels: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (n, 3), right nine times in ten, and features (n, 32) of images with these labels."""
    wrong = random.random(len(labels)) < 0.1
    predicted = np.where(wrong, (labels + random.integers(1, 3, len(labels))) % 3, labels)
    confidence = random.beta(12, 2, len(labels)) * 0.6 + 0.4
    probabilities = np.repeat(((1 - confidence) / 2)[:, None], 3, axis=1)
    probabilities[np.arange(len(labels)), predicted] = confidence
    centres = np.random.default_rng(9).normal(size=(3, WIDTH))
    features = centres[labels] + random.normal(size=(len(labels), WIDTH))
    return probabilities.astype(np.float32), features.astype(np.float32)


def split(random: np.random.Generator, name: str, count: int) -> Split:
    """Return a labelled split."""
    labels = random.integers(0, 3, count)
    probabilities, features = answers(random, labels)
    files = tuple(f"{index}.jpg" for index in range(count))
    return Split(name, Path("images"), files, labels, probabilities, features)


def evidence(random: np.random.Generator, validation: int = 300, training: int = 900) -> Evidence:
    """Return the evidence of a job."""
    return Evidence(NAMES, split(random, VALIDATION, validation), (split(random, TRAINING, training),))


def production(
    random: np.random.Generator, count: int, darker: float = 1.0, shares: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
) -> Observations:
    """Return what an endpoint captured."""
    probabilities, features = answers(random, random.choice(3, count, p=shares))
    seen = traits(random, count, darker)
    return Observations(
        seen, probabilities.argmax(axis=1), probabilities.max(axis=1), (features * darker).astype(np.float32)
    )
