"""Run a frozen backbone once over every picture."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.training import progress
from image_classifier.training.dataset import Example
from image_classifier.training.decoding import Decoder, Pixels, Skipped
from image_classifier.training.stopping import stop_if_told

BATCH = 32


@dataclass(frozen=True)
class FeatureStore:
    """Pooled features of one part of the data, in the order of their examples."""

    features: NDArray[np.float32]
    """(n, feature count)"""
    examples: tuple[Example, ...]
    skipped: tuple[Skipped, ...]
    seconds: float


def compute(
    function: Callable[[Pixels], NDArray[np.float32]],
    decoder: Decoder,
    examples: Sequence[Example],
    phase: str,
    stop: threading.Event,
) -> FeatureStore:
    """Decode every picture and run `function` on batches of at most `BATCH`; at no time more than a few are decoded.

    Raises:
        JobStopped: `stop` was set in the middle.
    """
    started = time.monotonic()
    report = progress.counter(phase, len(examples))
    parts: list[NDArray[np.float32]] = []
    kept: list[Example] = []
    skipped: list[Skipped] = []
    batch: list[Pixels] = []
    for done, (example, result) in enumerate(zip(examples, decoder.in_order(examples), strict=True), start=1):
        if isinstance(result, Skipped):
            skipped.append(result)
        else:
            kept.append(example)
            batch.append(result)
        if batch and (len(batch) == BATCH or done == len(examples)):
            parts.append(function(np.stack(batch)))
            batch.clear()
        stop_if_told(stop)
        report(done)
    features = np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
    return FeatureStore(features, tuple(kept), tuple(skipped), time.monotonic() - started)
