"""The steps of a long-running command: a spinner with the activity, then the result, and the duration of each."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

from image_classifier.cli.terminal import consoles


@dataclass
class Steps:
    """The steps of one command."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)
    """Duration of each finished step, by its short name, in the order of the steps."""

    @contextmanager
    def step(self, name: str, doing: str) -> Iterator[Callable[[str], None]]:
        """Run a step; the caller passes its result, one line, to the function that is yielded.

        On a terminal `doing` is shown beside a spinner until the result is printed.
        """
        results: list[str] = []
        started = time.monotonic()
        with self.console.status(doing) if self.console.is_terminal else _nothing():
            yield results.append
        self.seconds[name] = time.monotonic() - started
        for result in results:
            consoles.print_text(self.console, result)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time a step that shows its own progress."""
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started

    def summary(self) -> str:
        """Return the duration of all steps and of each."""
        each = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.seconds.items())
        return f"Took {sum(self.seconds.values()):.0f} s: {each}"


@contextmanager
def _nothing() -> Iterator[None]:
    yield
