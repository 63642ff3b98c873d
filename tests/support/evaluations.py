"""Synthetic evaluations of any number of classes, with images that Pillow draws, and every section filled."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from image_classifier.evaluation import calibration, mistakes, scores
from image_classifier.evaluation.duplicates import Duplicates, Group, Kind, Member
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Evidence, LearningPoint, Split
from image_classifier.evaluation.familiarity import Separation
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.label_issues import LabelIssue
from image_classifier.evaluation.occlusion import OcclusionMap
from image_classifier.evaluation.slices import Slice
from image_classifier.evaluation.statistics import Proportion
from image_classifier.evaluation.traits import Traits

NAMES = ("defective", "functional", "cracked", "soldering", "finger interruption", "microcrack", "material")
MODEL_INFO = {
    "model_id": "tensorflow-ic-efficientnet-lite0-classification",
    "source": "EfficientNet-Lite0",
    "licence": "Apache-2.0",
    "image_size": [224, 224],
    "sha256": "9f2c" * 16,
    "hyperparameters": {"recipe": "auto", "random_seed": 7, "epochs": 5},
    "hyperparameter_sources": {"recipe": "given", "random_seed": "given", "epochs": "our default"},
    "versions": {"numpy": "2.3.5", "pillow": "12.0.0", "tensorflow-hub": "0.16.1"},
    "data": {"sha256": "51ab" * 16},
    "recipe": {"chosen": "head", "rule": "its accuracy is 0.99 or more", "head": {"strength": 0.3}},
    "verification": {"images": 445, "other_answers": 0, "largest_difference": 2.1e-7},
    "openvino": {"images": 445, "other_answers": 0, "largest_difference": 3.4e-6},
    "precisions": {
        "int8": {
            "gate": {
                "images": 300,
                "accuracy": 0.8767,
                "accuracy_f32": 0.88,
                "label_flips": 0.0067,
                "calibration_change": 0.0012,
                "largest_difference": 0.061,
            }
        },
        "bf16": {"left_out": "this CPU computes in float32, not in bf16"},
    },
}
"""As a job records them."""


def class_names(classes: int) -> tuple[str, ...]:
    """Return names, some of which are long."""
    numbered = (f"{NAMES[index % len(NAMES)]} {index // len(NAMES) + 1}" for index in range(len(NAMES), classes))
    return (*NAMES, *numbered)[:classes]


def split(folder: Path, name: str, names: tuple[str, ...], images: int, skill: float = 0.8, seed: int = 0) -> Split:
    """Return a split of a model that is right with about the probability `skill`; its files are not written."""
    noise = np.random.default_rng(seed)
    weights = np.array([1 + index % 3 for index in range(len(names))])
    labels = np.sort(noise.choice(len(names), images, p=weights / weights.sum()))
    logits = noise.normal(0, 1, (images, len(names))) + _neighbours(labels, len(names))
    right = noise.random(images) < skill
    logits[np.arange(images), labels] += np.where(right, 4.5 + noise.random(images), 0)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    files = tuple(f"{names[label]}/{index:04}.png" for index, label in enumerate(labels))
    return Split(name, folder / name, files, labels.astype(np.int64), probabilities)


def _neighbours(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return logits that make each class resemble the next one."""
    found = np.zeros((len(labels), classes))
    found[np.arange(len(labels)), (labels + 1) % classes] = 1.5
    return found


def write_images(found: Split, rows: Iterable[int]) -> None:
    """Draw images of a split: a shape whose colour and place depend on class and row."""
    for row in rows:
        path, label = found.path(row), int(found.labels[row])
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (160, 120) if row % 5 else (90, 160), (70 + row * 7 % 90, 80, 95))
        draw = ImageDraw.Draw(image)
        colour = (40 + label * 53 % 200, 60 + label * 97 % 180, 220 - label * 31 % 200)
        left, top = 15 + row * 11 % 40, 12 + row * 7 % 45
        shape = draw.ellipse if label % 2 else draw.rectangle
        shape((left, top, left + 45, top + 45), fill=colour, outline=(255, 255, 255))
        image.save(path)


def evaluation(
    folder: Path, classes: int, images: int = 400, skill: float = 0.8, names: tuple[str, ...] | None = None
) -> Evaluation:
    """Return an evaluation with score, mistakes and calibration alone; its images are not written."""
    named = names or class_names(classes)
    judged = split(folder, VALIDATION, named, images, skill)
    training = split(folder, TRAINING, named, images * 2, skill, seed=1)
    evidence = Evidence(named, judged, (training,), model_info=MODEL_INFO, timings={"features": 24.2, "head": 3.1})
    return Evaluation(
        evidence=evidence,
        score=scores.measure(judged, named),
        mistakes=mistakes.find(judged, len(named)),
        label_issues=None,
        calibration=calibration.measure(judged),
    )


def complete(folder: Path, classes: int, images: int = 400, skill: float = 0.8) -> Evaluation:
    """Return an evaluation with every section filled, and the images that it is about written."""
    bare = evaluation(folder, classes, images, skill)
    judged, training = bare.evidence.judged, bare.evidence.others[0]
    write_images(judged, range(len(judged)))
    write_images(training, (1, 8, 9, 10, len(training) - 1))
    wrong = bare.mistakes.confidently_wrong
    evidence = replace(
        bare.evidence,
        history=history(20),
        best_epoch=14,
        learning_curve=[
            LearningPoint(share, int(images * 2 * share), Proportion(int(images * right), images))
            for share, right in ((0.25, skill - 0.09), (0.5, skill - 0.03), (1.0, skill))
        ],
        sizes={"saved_model": 15_312_000, "openvino": 13_420_000, "openvino_int8": 3_610_000},
        skipped=(("defective/broken.jpg", "it is empty"), ("functional/notes.png", "it is not an image")),
    )
    return replace(
        bare,
        evidence=evidence,
        label_issues=tuple(
            LabelIssue(VALIDATION, row, int(judged.labels[row]), int(judged.predicted[row]), 0.01 + index * 0.02)
            for index, row in enumerate(wrong[:14])
        ),
        traits={one.name: [traits(row) for row in range(len(one))] for one in (judged, training)},
        duplicates=duplicates(judged, training),
        slices=slices(judged),
        separations=(
            Separation("blank images", 0.998, 200),
            Separation("noise", 0.971, 200),
            Separation(f"class {bare.evidence.class_names[0]} left out", 0.846, 133),
        ),
        familiarity=np.random.default_rng(5).random(len(judged)).astype(np.float32),
        occlusion_maps={row: occlusion_map(row, int(judged.predicted[row])) for row in wrong[:12]},
    )


def history(epochs: int) -> list[dict[str, float]]:
    """Return the metrics of a model that overfits in the end."""
    noise = np.random.default_rng(2)
    return [
        {
            "loss": float(0.3 + 1.2 * np.exp(-epoch / 4)),
            "val_loss": float(0.42 + 1.1 * np.exp(-epoch / 4) + 0.004 * epoch + noise.normal(0, 0.01)),
            "accuracy": float(0.93 - 0.4 * np.exp(-epoch / 4)),
            "val_accuracy": float(0.86 - 0.38 * np.exp(-epoch / 4) + noise.normal(0, 0.006)),
        }
        for epoch in range(epochs)
    ]


def traits(row: int, **changed: float) -> Traits:
    """Return the traits of an ordinary image, which vary by its row."""
    noise = np.random.default_rng(row)
    usual = Traits(
        "png",
        160,
        120,
        9_000,
        brightness=float(noise.normal(0.5, 0.06)),
        contrast=float(noise.normal(0.2, 0.02)),
        sharpness=float(np.exp(noise.normal(5, 0.3))),
        colourfulness=float(noise.normal(30, 4)),
        perceptual_hash=int(noise.integers(2**62)),
    )
    return replace(usual, **changed)  # type: ignore[arg-type] # of any field


def duplicates(judged: Split, training: Split) -> Duplicates:
    """Return an exact leak, a near one with another label, and a group of near duplicates in the training images."""
    groups = (
        (Kind.EXACT, (Member(judged.name, 0), Member(training.name, 1))),
        (Kind.NEAR, (Member(judged.name, 3), Member(training.name, len(training) - 1))),
        (Kind.NEAR, tuple(Member(training.name, row) for row in (8, 9, 10))),
    )
    labels = {judged.name: judged.labels, training.name: training.labels}
    found = tuple(
        Group(kind, members, tuple(int(labels[one.split][one.row]) for one in members)) for kind, members in groups
    )
    rows = np.array([row for row in range(len(judged)) if row not in (0, 3)])
    return Duplicates(found, (0, 3), scores.accuracy_of(judged, rows))


def slices(judged: Split) -> tuple[Slice, ...]:
    """Return a dark slice that is recognised worse than the rest."""
    rows = tuple(range(0, len(judged), 4))
    right = judged.predicted == judged.labels
    rest = np.setdiff1d(np.arange(len(judged)), rows)
    few = Proportion(int(right[list(rows)].sum() * 0.8), len(rows))
    others = Proportion(int(right[rest].sum()), len(rest))
    return (Slice("brightness", "dark images (brightness below 0.21)", few, others, 0.0007, rows),)


def occlusion_map(row: int, class_index: int) -> OcclusionMap:
    """Return a map with one bright place; every third is not reliable."""
    rows, columns = np.indices((28, 28))
    drops = np.exp(-((rows - 10 - row % 8) ** 2 + (columns - 12) ** 2) / 30).astype(np.float32) * 0.6
    return OcclusionMap(class_index, 0.9, drops, 0.5, 0.6 if row % 3 == 0 else 0.1)
