"""A model of colours, its drift baseline, and requests to it: images of noise in one colour, light or dark."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from image_classifier.evaluation.drift import baseline
from image_classifier.evaluation.drift.baseline import Baseline
from image_classifier.evaluation.evidence import VALIDATION, Evidence, Split
from image_classifier.evaluation.traits import of_bytes
from tests.support import captured

NAMES = ("red", "green", "blue")


def image(random: np.random.Generator, colour: int, light: float = 1.0) -> bytes:
    """Return a PNG of 40 x 32 pixels; `light` scales its brightness."""
    pixels = random.normal(110, 30, (32, 40, 3)) + random.normal(0, 15)
    pixels[..., colour] += 60
    content = io.BytesIO()
    Image.fromarray((pixels.clip(0, 255) * light).astype(np.uint8)).save(content, "PNG")
    return content.getvalue()


def images(random: np.random.Generator, count: int, light: float = 1.0) -> list[tuple[int, bytes]]:
    """Return images with their colours, as many of each."""
    return [(index % 3, image(random, index % 3, light)) for index in range(count)]


def probabilities(random: np.random.Generator, colour: int) -> list[float]:
    """Return what a model says of a colour: right, with some confidence."""
    confidence = float(random.uniform(0.7, 0.99))
    return [confidence if index == colour else (1 - confidence) / 2 for index in range(3)]


def evidence(labels: list[int], answers: list[list[float]]) -> Evidence:
    """Return the evidence of a model from its answers to validation images."""
    files = tuple(f"{index}.png" for index in range(len(labels)))
    judged = Split(VALIDATION, Path("images"), files, np.array(labels), np.array(answers, np.float32))
    return Evidence(NAMES, judged)


def known(seed: int = 0, count: int = 300) -> Baseline:
    """Return the baseline of a model whose answers are synthetic."""
    random = np.random.default_rng(seed)
    seen = images(random, count)
    answers = [probabilities(random, colour) for colour, _ in seen]
    found = evidence([colour for colour, _ in seen], answers)
    return baseline.build(found, {VALIDATION: [of_bytes(content) for _, content in seen]})


def lines(seed: int, count: int, light: float = 1.0) -> list[str]:
    """Return captured requests of a period."""
    random = np.random.default_rng(seed)
    return [
        captured.line(content, json.dumps({"probabilities": probabilities(random, colour)}).encode())
        for colour, content in images(random, count, light)
    ]
