"""What an engine is: a loaded network, whichever library runs it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Outputs:
    """What a network answers for n images, a row each."""

    probabilities: NDArray[np.float32]
    """float32 (n, outputs)."""
    features: NDArray[np.float32] | None = None
    """Pooled features before the classes, float32 (n, d); None when the network does not tell them."""


class Engine(Protocol):
    """A loaded network that may be called from many threads at once."""

    @property
    def name(self) -> str:
        """Which engine this is, for logs."""
        ...

    @property
    def outputs(self) -> int:
        """How many probabilities it answers for an image."""
        ...

    @property
    def concurrency(self) -> int:
        """How many threads it keeps busy; more of them at once only wait for each other."""
        ...

    @property
    def rungs(self) -> tuple[int, ...]:
        """Numbers of images that, asked for one after the other, make everything warm that a request will use."""
        ...

    def expecting(self) -> AbstractContextManager[None]:
        """Announce, while it holds, images that will be run soon: one that is alone may get more of the machine."""
        ...

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Answer RGB pixels, uint8 (n, height, width, 3); several images may be computed at the same time."""
        ...

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of `run` alone, float32 (n, outputs)."""
        ...
