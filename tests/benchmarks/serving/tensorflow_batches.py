"""TensorFlow's engine on CPU: one image at a time, or concurrent images in one batch.

    scripts/benchmark serving.tensorflow_batches [--rounds N] [--seconds S]

EfficientNet-Lite0 in float32 behind a closed loop of threads that decode a photograph and have it classified, without
HTTP; batches are those of TensorFlow's own operation, as on a GPU. Printed: images/s, p50 and p99, and the medians
of their ratios to images by themselves, inside a round. What was kept, and why, stands in docs/decisions/0016.
"""

import numpy as np

from image_classifier import artifacts, imaging, tensorflow_start
from image_classifier.inference.engines.engine import Engine
from image_classifier.inference.engines.execution_mode import ExecutionMode
from image_classifier.inference.engines.request_pool import RequestPool
from tests.benchmarks.serving import closed_loop, places
from tests.benchmarks.serving.closed_loop import Classify

THREADS = (1, 2, 4, 16)


def main() -> None:
    """Measure and print."""
    given = closed_loop.arguments(__doc__, rounds=4, seconds=2.0)
    tensorflow_start.start()
    from image_classifier.inference.engines import tensorflow

    with places.model_and_photographs() as (folder, photographs):
        info = artifacts.read_model_info(folder)
        ways = {
            name: classifying(
                tensorflow.load_engine(folder, info, ExecutionMode(dynamic_batching=batches)), info.image_size
            )
            for name, batches in (("by itself", False), ("in batches", True))
        }
        closed_loop.compare(ways, THREADS, photographs, given.rounds, given.seconds)


def classifying(engine: Engine, size: tuple[int, int]) -> Classify:
    """Return what one photograph goes through, after every size of a batch was computed once."""
    turns = RequestPool(range(engine.concurrency))
    noise = np.zeros((max(engine.warm_up_sizes), *size, 3), np.uint8)
    for count in engine.warm_up_sizes:
        engine.run(noise[:count])

    def classify(photograph: bytes) -> None:
        with turns.taken(1):
            engine.run(imaging.load_pixels(photograph, size)[None])

    return classify


if __name__ == "__main__":
    main()
