"""Score the finished folder in a fresh process through the serving code, and compare with what training saw."""

import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.errors import AlgorithmError
from image_classifier.inference import agreement
from image_classifier.inference.processors import available_processors
from image_classifier.training import child
from image_classifier.training.child import Child, ChildFailed
from image_classifier.training.progress import say
from image_classifier.training.sample import Sample
from image_classifier.training.stopping import Stop

_ANSWERS = "answers.npz"
_AT_ONCE = 8


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


def verify(
    folder: Path, sample: Sample, twin: NDArray[np.float32], scratch: Path, stop: Stop, trust: bool = False
) -> Verification:
    """Load `folder` in a new process and compare its answers with what training expects.

    `twin` are the answers of the bytes signature to `sample.spread(len(twin))`, `scratch` is a folder of its own.
    `trust` accepts file and Python operations, as the job did for the backbone.

    Raises:
        AlgorithmError: The process fails, or more than max(2, 0.5 %) of its answers are others than training's.
        ChildKilled: A signal ended the process.
        Interrupted: The job has no time left.
    """
    request = {"folder": str(folder), "paths": [str(path) for path in sample.paths], "trust": trust}
    with Child("image_classifier.training.verification", scratch, request) as process:
        try:
            process.wait(stop)
        except ChildFailed as failure:
            raise AlgorithmError(
                f"The finished model in {folder} cannot be loaded and asked by a new process: {failure}."
            ) from failure
    with np.load(scratch / _ANSWERS) as found:
        result = compare(str(found["engine"]), sample, found["served"], twin)
    for line in _lines(result):
        say(line)
    allowed = max(2, int(0.005 * result.pictures))
    if result.other_answers > allowed:
        raise AlgorithmError(
            f"The finished model answers {result.other_answers} of {result.pictures} validation pictures otherwise "
            f"than the model in training (allowed: {allowed}). Do not deploy {folder}; please report this."
        )
    return result


def _lines(result: Verification) -> list[str]:
    return [
        f"Verification: a fresh process answered {result.pictures} validation pictures with {result.engine}, accuracy "
        f"{result.served_accuracy:.4f} (training: {result.training_accuracy:.4f}), largest difference of a "
        f"probability {result.largest_difference:.6f}, {result.other_answers} other answers.",
        f"Bytes signature on {result.twin_pictures} of them: median difference {result.twin_median_difference:.6f}, "
        f"largest {result.twin_largest_difference:.6f}, same answer on {100 * result.twin_same_answer:.1f} %.",
    ]


def compare(engine: str, sample: Sample, served: NDArray[np.float32], twin: NDArray[np.float32]) -> Verification:
    """Compare probabilities, (n, K) or (n, 1), of training, of the serving code and (some rows) of the twin."""
    found = agreement.measure(sample.expected, served)
    expected, served, twin = map(agreement.two_columns, (sample.expected, served, twin))
    beside = served[sample.spread(len(twin))]
    twin_difference = np.abs(beside - twin).max(axis=1)
    return Verification(
        engine=engine,
        pictures=len(sample.labels),
        training_accuracy=float((expected.argmax(axis=1) == sample.labels).mean()),
        served_accuracy=float((served.argmax(axis=1) == sample.labels).mean()),
        other_answers=found.other_answers,
        close_answers=found.close_answers,
        largest_difference=found.largest_difference,
        twin_pictures=len(twin),
        twin_median_difference=float(np.median(twin_difference)),
        twin_largest_difference=float(twin_difference.max()),
        twin_same_answer=float((beside.argmax(axis=1) == twin.argmax(axis=1)).mean()),
    )


def record(result: Verification) -> dict[str, Any]:
    """Return a verification as the model info keeps it."""
    return asdict(result)


def _score(scratch: Path, request: Mapping[str, Any]) -> None:
    from image_classifier.inference.engines import Wish
    from image_classifier.inference.predictor import Predictor

    # As training's own answers were computed: what is to be found is another network, not a rounded one.
    predictor = Predictor.load(Path(request["folder"]), request["trust"], Wish(exact=True))
    paths: list[str] = request["paths"]

    def answers(start: int) -> list[NDArray[np.float32]]:
        images = [Path(path).read_bytes() for path in paths[start : start + _AT_ONCE]]
        return [prediction.probabilities for prediction in predictor.predict(images)]

    with ThreadPoolExecutor(available_processors()) as pool:
        served = [row for rows in pool.map(answers, range(0, len(paths), _AT_ONCE)) for row in rows]
    np.savez(scratch / _ANSWERS, engine=predictor.engine.name, served=np.array(served, np.float32))


if __name__ == "__main__":
    sys.exit(child.run(_score, Path(sys.argv[1])))
