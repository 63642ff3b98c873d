"""A child process that keeps a job's evidence in memory and answers questions about it.

    python -m image_classifier.console.trying.evidence_process JOB_FOLDER

A question is one line of JSON on standard input, its answer one line on standard output; the process exits when its
input ends, or without questions for `IDLE_SECONDS`. It holds the features of the training images, at most
`archive.MAX_BYTES`.
"""

import base64
import io
import itertools
import json
import select
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier import imaging
from image_classifier.contract import report_files
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError
from image_classifier.evaluation import archive
from image_classifier.evaluation.evidence import TRAINING, Evidence, Split
from image_classifier.evaluation.statistics import Proportion

IDLE_SECONDS = 600.0
NEIGHBOURS = 6
SAMPLES = 12
SIDE = 160
"""Longest side of a thumbnail in pixels."""
_QUALITY = 72
_BANDS = (0.0, 0.5, 0.7, 0.9, 0.99, 1.0)
"""Scores between two of them are counted together, as the page words them."""


@dataclass(frozen=True)
class Known:
    """What is known of a job."""

    job: Path
    evidence: Evidence
    features: NDArray[np.float32] | None
    """(n, D) of the training images, each of length 1; None: `without_neighbours` says why."""
    without_neighbours: str


def load(job: Path) -> Known:
    """Open the evidence of a job's folder.

    Raises:
        UserError: The job left no evidence, or it is corrupt.
    """
    path = job / "output" / "data" / report_files.EVIDENCE
    if not path.is_file():
        raise UserError(
            f"This job left no {report_files.EVIDENCE}: it was trained with report=False or by an earlier version."
        )
    evidence = archive.read(path).evaluation.evidence
    try:
        features, reason = _features(path, evidence), ""
    except UserError as error:
        features, reason = None, str(error)
    return Known(job, evidence, features, reason)


def _features(path: Path, evidence: Evidence) -> NDArray[np.float32]:
    if not evidence.features_are_served:
        raise UserError(
            "This job tuned the whole network after it had computed features, so the present network's cannot be "
            "compared with them."
        )
    found = archive.features(path, TRAINING).copy()
    training = evidence.training
    if training is None or len(training) != len(found):
        raise UserError("The evidence of this job does not name its training images.")
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return found


def describe(known: Known) -> dict[str, Any]:
    """Return how often scores were right, and held-out images to click: evenly spaced over the classes."""
    judged, names = known.evidence.judged, known.evidence.class_names
    order = np.argsort(judged.labels, kind="stable")
    count = min(SAMPLES, len(judged))
    rows = [int(order[index * len(order) // count]) for index in range(count)]
    return {
        "reliability": reliability(judged),
        "samples": [_image(judged, row, names) for row in rows],
        "without_neighbours": known.without_neighbours,
    }


def reliability(judged: Split) -> list[dict[str, float]]:
    """Return for each band of scores how many held-out images had one, and how many of those were right."""
    if judged.probabilities is None:
        return []
    scores, right = judged.probabilities.max(axis=1), judged.predicted == judged.labels
    found = []
    for low, high in itertools.pairwise(_BANDS):
        inside = (scores >= low) & ((scores < high) | (high == 1.0))
        share = Proportion(int(right[inside].sum()), int(inside.sum()))
        interval = share.interval
        counted = {"images": share.total, "right": share.count, "low": interval.low, "high": interval.high}
        found.append({"from": low, "to": high, **counted})
    return found


def neighbours(known: Known, embedding: Sequence[float]) -> list[dict[str, Any]]:
    """Return the training images whose features have the largest cosine similarity with an embedding, best first.

    Raises:
        UserError: The job has no features, or they are not those of the served network.
    """
    if known.features is None:
        raise UserError(known.without_neighbours)
    query = np.asarray(embedding, np.float32)
    if query.shape != known.features.shape[1:]:
        raise UserError("The served network returns other features than the job's: it was converted or replaced.")
    query = query / max(float(np.linalg.norm(query)), float(np.finfo(np.float32).tiny))
    similarity = known.features @ query
    best = np.argpartition(-similarity, min(NEIGHBOURS, len(similarity)) - 1)[:NEIGHBOURS]
    training = known.evidence.training
    assert training is not None
    rows = sorted(best.tolist(), key=lambda row: -float(similarity[row]))
    names = known.evidence.class_names
    return [{**_image(training, row, names), "similarity": float(similarity[row])} for row in rows]


def place(known: Known, split: str, row: int) -> Path:
    """Return the file of an image; a folder that has moved with its job is found again.

    Raises:
        UserError: The job has no such image.
    """
    found = known.evidence.split(split)
    if found is None or not 0 <= row < len(found):
        raise UserError(f"This job has no image {row} of {split}.")
    folder = found.folder
    if not folder.is_dir() and "data" in folder.parts:
        folder = known.job / "input" / "data" / folder.name
    return folder / found.files[row]


def thumbnail(path: Path) -> bytes:
    """Return an image reduced to `SIDE` pixels as WebP.

    Raises:
        UserError: It cannot be read.
    """
    try:
        header = imaging.read_header(path.read_bytes())
        pixels = imaging.decode(header, imaging.reduced_size(imaging.upright_size(header), SIDE), "bilinear")
    except (OSError, imaging.ImageRejected, PlatformError) as error:
        raise UserError(f"{path.name} cannot be read any more: {error}") from error
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "WEBP", quality=_QUALITY, method=2)
    return content.getvalue()


def _image(split: Split, row: int, names: Sequence[str]) -> dict[str, Any]:
    return {"split": split.name, "row": row, "name": Path(split.files[row]).name, "label": names[split.labels[row]]}


def answer(known: Known, question: Mapping[str, Any]) -> Any:
    """Answer a decoded question.

    Raises:
        UserError: See the functions of the questions.
    """
    match question["ask"]:
        case "describe":
            return describe(known)
        case "neighbours":
            return neighbours(known, question["embedding"])
        case "place":
            return str(place(known, question["split"], int(question["row"])))
        case _:
            return base64.b64encode(thumbnail(Path(question["path"]))).decode()


def main() -> None:
    """Answer the questions on standard input until it ends, or nothing is asked any more."""
    known, problem = None, ""
    try:
        known = load(Path(sys.argv[1]))
    except ExplainedError as error:
        problem = str(error)
    # One question is asked at a time, so that none waits in the buffer of standard input.
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0] and (line := sys.stdin.readline()):
        try:
            found = {"answer": answer(known, json.loads(line))} if known else {"problem": problem}
        except ExplainedError as error:
            found = {"problem": str(error)}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
