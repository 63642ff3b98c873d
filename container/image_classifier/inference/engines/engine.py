"""The engine protocol: a loaded network, whichever library runs it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Outputs:
    """Outputs of a network for n images, one row per image."""

    probabilities: NDArray[np.float32]
    """float32 (n, outputs)."""
    features: NDArray[np.float32] | None = None
    """Pooled features before the classification head, float32 (n, d); None when the network does not expose them."""


class Engine(Protocol):
    """A loaded network; thread-safe."""

    @property
    def name(self) -> str:
        """Name of the engine, for logs."""
        ...

    @property
    def precision(self) -> str:
        """Precision in which it computes: "f32", "bf16", "f16" or "int8"."""
        ...

    @property
    def outputs(self) -> int:
        """Number of probabilities per image."""
        ...

    @property
    def concurrency(self) -> int:
        """Number of threads that saturate the engine; additional ones only queue."""
        ...

    @property
    def warm_up_sizes(self) -> tuple[int, ...]:
        """Batch sizes that, run one after the other, warm up every code path a request can take."""
        ...

    def announce(self) -> AbstractContextManager[None]:
        """Announce images that will be run soon; a single one may then take the latency path."""
        ...

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Run RGB pixels, uint8 (n, height, width, 3); several images may be computed concurrently."""
        ...

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return only the probabilities of `run`, float32 (n, outputs)."""
        ...
