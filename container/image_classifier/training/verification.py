"""Score the finished folder in a fresh process through the serving code, and compare with what training saw."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import PROGRAM
from image_classifier.contract.errors import AlgorithmError, last_line
from image_classifier.inference import agreement
from image_classifier.training.dataset import Example
from image_classifier.training.progress import say

SAMPLE_LIMIT = 1000
TWIN_LIMIT = 200
"""Pictures that also go through the bytes signature, which decodes inside the graph, one after the other."""


@dataclass(frozen=True)
class Verification:
    """How the finished model, loaded afresh, compares with the model in training."""

    engine: str
    """That answered, the one that serves this model on this machine."""
    pictures: int
    training_accuracy: float
    served_accuracy: float
    other_answers: int
    """Top-1 answers that differ although the two best are further apart than 2·`agreement.TOLERANCE`."""
    close_answers: int
    """Top-1 answers that differ where the two best lie within 2·`agreement.TOLERANCE`."""
    largest_difference: float
    """Largest |Δp| between training and serving."""
    twin_pictures: int
    twin_median_difference: float
    twin_largest_difference: float
    twin_same_answer: float
    """Share of pictures with the same top-1 answer from the bytes signature and from the serving code."""


def sample(examples: Sequence[Example], seed: int) -> NDArray[np.int64]:
    """Choose at most `SAMPLE_LIMIT` examples by seed; returns their indices in order."""
    count = min(len(examples), SAMPLE_LIMIT)
    return np.sort(np.random.default_rng(seed).choice(len(examples), count, replace=False))


def verify(
    folder: Path, examples: Sequence[Example], expected: NDArray[np.float32], seed: int, trust: bool = False
) -> Verification:
    """Load `folder` in a new process and compare its answers with `expected`, (n, K) or (n, 1), of `examples`.

    `trust` accepts file and Python operations, as the job did for the backbone.

    Raises:
        AlgorithmError: The process fails, or more than max(2, 0.5 %) of its answers are others than training's.
    """
    chosen = sample(examples, seed)
    pictures = [examples[index] for index in chosen]
    engine, served, twin = _score_elsewhere(folder, [example.path for example in pictures], trust)
    labels = np.array([example.label for example in pictures])
    result = compare(engine, expected[chosen], served, twin, labels)
    say(
        f"Verification: a fresh process answered {result.pictures} validation pictures with {result.engine}, accuracy "
        f"{result.served_accuracy:.4f} (training: {result.training_accuracy:.4f}), largest difference of a "
        f"probability {result.largest_difference:.6f}, {result.other_answers} other answers."
    )
    say(
        f"Bytes signature on {result.twin_pictures} of them: median difference {result.twin_median_difference:.6f}, "
        f"largest {result.twin_largest_difference:.6f}, same answer on {100 * result.twin_same_answer:.1f} %."
    )
    allowed = max(2, int(0.005 * result.pictures))
    if result.other_answers > allowed:
        raise AlgorithmError(
            f"The finished model answers {result.other_answers} of {result.pictures} validation pictures otherwise "
            f"than the model in training (allowed: {allowed}). Do not deploy {folder}; please report this."
        )
    return result


def compare(
    engine: str,
    expected: NDArray[np.float32],
    served: NDArray[np.float32],
    twin: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> Verification:
    """Compare probabilities (n, K) or (n, 1) of training, of the serving code and (first rows) of the twin."""
    found = agreement.measure(expected, served)
    expected, served, twin = map(agreement.two_columns, (expected, served, twin))
    twin_difference = np.abs(served[: len(twin)] - twin).max(axis=1)
    return Verification(
        engine=engine,
        pictures=len(labels),
        training_accuracy=float((expected.argmax(axis=1) == labels).mean()),
        served_accuracy=float((served.argmax(axis=1) == labels).mean()),
        other_answers=found.other_answers,
        close_answers=found.close_answers,
        largest_difference=found.largest_difference,
        twin_pictures=len(twin),
        twin_median_difference=float(np.median(twin_difference)),
        twin_largest_difference=float(twin_difference.max()),
        twin_same_answer=float((served[: len(twin)].argmax(axis=1) == twin.argmax(axis=1)).mean()),
    )


def _score_elsewhere(
    folder: Path, paths: Sequence[Path], trust: bool
) -> tuple[str, NDArray[np.float32], NDArray[np.float32]]:
    with tempfile.TemporaryDirectory(prefix="verification-") as scratch:
        request, answer = Path(scratch) / "request.json", Path(scratch) / "answer.npz"
        asked = {"folder": str(folder), "paths": [str(path) for path in paths], "trust": trust}
        request.write_text(json.dumps(asked))
        done = subprocess.run(
            [sys.executable, "-m", "image_classifier.training.verification", str(request), str(answer)],
            env={**os.environ, "PYTHONPATH": str(PROGRAM), "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = last_line(done.stderr)
            raise AlgorithmError(f"The finished model in {folder} cannot be loaded and asked by a new process: {last}")
        with np.load(answer) as found:
            return str(found["engine"]), found["served"], found["twin"]


def _score(request: Path, answer: Path) -> None:
    from image_classifier.inference.predictor import Predictor

    asked: dict[str, Any] = json.loads(request.read_text())
    folder, paths = Path(asked["folder"]), [Path(path) for path in asked["paths"]]
    predictor = Predictor.load(folder, asked["trust"])
    served: list[tuple[float, ...]] = []
    for start in range(0, len(paths), 32):
        images = [path.read_bytes() for path in paths[start : start + 32]]
        served += [prediction.probabilities for prediction in predictor.predict(images)]
    twin, engine = _twin(folder, paths[:TWIN_LIMIT]), predictor.engine.name
    np.savez(answer, engine=engine, served=np.array(served, np.float32), twin=twin)


def _twin(folder: Path, paths: Sequence[Path]) -> NDArray[np.float32]:
    import tensorflow as tf

    from image_classifier import artifacts

    function = tf.saved_model.load(str(artifacts.saved_model_folder(folder))).signatures["serving_default"]
    parts = []
    for start in range(0, len(paths), 32):
        encoded = tf.constant([path.read_bytes() for path in paths[start : start + 32]])
        parts.append(function(encoded)["probabilities"].numpy())
    return np.concatenate(parts)


def record(result: Verification) -> dict[str, Any]:
    """Return a verification as the model info keeps it."""
    return asdict(result)


if __name__ == "__main__":
    _score(Path(sys.argv[1]), Path(sys.argv[2]))
