"""The resource oracle: sends one input at a time, measures its cost to the server, and finds expensive inputs."""

import http.client
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.benchmarks.fuzz.bodies import Document
from tests.benchmarks.fuzz.bounds import Bounds, Size
from tests.benchmarks.fuzz.client import Work
from tests.benchmarks.fuzz.cost import Cost, Meter, StillBusyError
from tests.benchmarks.fuzz.extremes.extreme import Extreme
from tests.benchmarks.fuzz.extremes.texts import MOST_IN_A_LIST
from tests.benchmarks.fuzz.mutants import Mutant
from tests.benchmarks.fuzz.raw_requests import CLOSE, RESET, RawRequest
from tests.benchmarks.watched_server import Watched
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Dearest:
    """The input of a kind that came nearest to its bound of CPU, and the most memory that one of the kind took."""

    cpu_seconds: float = 0.0
    share: float = 0.0
    """Of the CPU that the input was allowed."""
    weight: int = 0
    """Bytes of the input."""
    megabytes: float = 0.0

    def or_dearer(self, other: "Dearest") -> "Dearest":
        """Return the one of both that came nearer to its bound, with the larger memory of both."""
        nearer = max(self, other, key=lambda one: one.share)
        return replace(nearer, megabytes=max(self.megabytes, other.megabytes))


@dataclass
class Oracle:
    """Judges each input that is sent through it to a server that handles nothing else meanwhile, except pings."""

    server: Watched
    bounds: Bounds
    excesses: list[str] = field(default_factory=list)
    dearest: dict[str, Dearest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look at the server's processes."""
        self._meter = Meter(self.server.workers())

    def judge(self, work: Work, send: Callable[[], None]) -> None:
        """Send an input and note what it costs; CPU beyond its bound counts when a second time shows it too.

        Of memory the first time counts, since what a process holds from it is not taken again.

        Raises:
            StillBusyError: Nothing further can be judged; the excess is noted.
        """
        kind, size = name(work), size_of(work)
        try:
            cost = self._measure(send, settle=leaves(work))
            seconds = self.bounds.allowed(size)[0]
            if cost.cpu_seconds > seconds:
                self._meter.settle()
                again = self._measure(send, settle=True)
                cost = Cost(min(cost.cpu_seconds, again.cpu_seconds), cost.megabytes)
        except StillBusyError as error:
            self.excesses.append(f"{kind} of {size.weight:,} bytes: {error}; nothing further was judged")
            raise
        except OSError as error:
            self.excesses.append(f"{kind} of {size.weight:,} bytes: a process exited: {error}")
            wait_until(self._answers, 120, "the server is ready again")
            self._meter = Meter(self.server.workers())
            return
        this = Dearest(cost.cpu_seconds, cost.cpu_seconds / seconds, size.weight, cost.megabytes)
        self.dearest[kind] = self.dearest.get(kind, this).or_dearer(this)
        self.excesses += [f"{kind}: {sentence}" for sentence in self.bounds.broken_by(cost, size)]

    def _measure(self, send: Callable[[], None], settle: bool) -> Cost:
        self._meter.start()
        send()
        return self._meter.stop(settle)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def name(work: Work) -> str:
    """Return what the report calls an input's kind."""
    if isinstance(work, Mutant):
        return work.damage
    return "JSON" if isinstance(work, Document) else work.kind


def size_of(work: Work) -> Size:
    """Return the size of an input; a mutant may be sent as a row of JSON beside another."""
    if isinstance(work, Extreme):
        return Size(work.weight, work.images, work.chunks)
    return Size(len(work.content), MOST_IN_A_LIST if isinstance(work, Document) else 2)


def leaves(work: Work) -> bool:
    """Say whether the client does not wait for the end of the server's work."""
    return isinstance(work, RawRequest) and work.ending in (CLOSE, RESET)
