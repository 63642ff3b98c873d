"""TensorFlow's engine on CPU: every picture by itself, or those that come at the same time in one batch.

    PYTHONPATH=container .venv/bin/python -m tests.benchmarks.serving.tensorflow_batches [--rounds N] [--seconds S]

EfficientNet-Lite0 in float32 behind a closed loop of threads that decode a photograph and have it classified, without
HTTP; batches are those of TensorFlow's own operation, as on a GPU. Printed: pictures/s, p50 and p99, and the medians
of their ratios to pictures by themselves, inside a round. What was kept, and why, stands in docs/decisions/0016.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from image_classifier import artifacts, imaging, tensorflow_start
from image_classifier.inference.engines.engine import Engine
from image_classifier.inference.engines.manner import Manner
from image_classifier.inference.engines.request_pool import RequestPool
from tests.benchmarks.serving import closed_loop, pictures, places
from tests.benchmarks.serving.closed_loop import Classify

THREADS = (1, 2, 4, 16)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    tensorflow_start.start()
    from image_classifier.inference.engines import tensorflow

    with tempfile.TemporaryDirectory(prefix="batches-") as scratch:
        written = pictures.write_small(Path(scratch) / "small")
        folder = places.make_model(Path(scratch), written[0].parent)
        info = artifacts.read_model_info(folder)
        ways = {
            name: classifying(tensorflow.load_engine(folder, info, Manner(batches=batches)), info.image_size)
            for name, batches in (("by itself", False), ("in batches", True))
        }
        photographs = [path.read_bytes() for path in written]
        closed_loop.compare(ways, THREADS, photographs, given.rounds, given.seconds)


def classifying(engine: Engine, size: tuple[int, int]) -> Classify:
    """Return what one photograph goes through, after every size of a batch was computed once."""
    turns = RequestPool(range(engine.concurrency))
    noise = np.zeros((max(engine.rungs), *size, 3), np.uint8)
    for count in engine.rungs:
        engine.run(noise[:count])

    def classify(photograph: bytes) -> None:
        with turns.taken(1):
            engine.run(imaging.load_pixels(photograph, size)[None])

    return classify


if __name__ == "__main__":
    main()
