"""Send invalid requests of every kind to a server, singly and concurrently, and observe exits, cost and memory."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from random import Random

from tests.benchmarks.fuzz import raw_requests
from tests.benchmarks.fuzz.bodies import documents
from tests.benchmarks.fuzz.bounds import PING_SECONDS, Bounds
from tests.benchmarks.fuzz.client import Client, Findings, Work
from tests.benchmarks.fuzz.cost import StillBusyError
from tests.benchmarks.fuzz.extremes import extremes
from tests.benchmarks.fuzz.mutants import mutants
from tests.benchmarks.fuzz.oracle import Oracle
from tests.benchmarks.watched_server import Watched
from tests.image.closed_loop import pinging

CLIENTS = 4
GROWTH_MEGABYTES = 32
"""What the second round may add to memory. Both send as many requests, and no two the same; an allocator may keep what
one raster took."""


@dataclass(frozen=True)
class Campaign:
    """What is sent in each of two rounds, of which the second shows whether memory still grows."""

    mutants: int
    raw: int
    """Of the listed raw requests; as many again get bytes changed."""
    documents: int
    extremes: int
    seed: int

    def work(self, round_number: int) -> list[Work]:
        """Return what a round sends, in a random order that is the same every time."""
        random = Random(f"{self.seed}/{round_number}")
        listed, listed_documents = list(raw_requests.every_raw_request()), list(documents())
        found: list[Work] = [
            *mutants(self.mutants, random.randrange(1 << 32)),
            *random.sample(listed, min(self.raw, len(listed))),
            *raw_requests.mutated(self.raw, random.randrange(1 << 32), listed),
            *random.sample(listed_documents, min(self.documents, len(listed_documents))),
            *extremes(self.extremes, random.randrange(1 << 32)),
        ]
        random.shuffle(found)
        return found


@dataclass(frozen=True)
class Result:
    """What a campaign found."""

    inputs: int
    """Each was sent twice, some with a good image after it."""
    findings: Findings
    oracle: Oracle
    slowest_ping: float
    """In seconds, beside inputs that were sent alone."""
    deaths: int
    megabytes: tuple[float, ...]
    """PSS before, after the first round, after the second."""

    @property
    def growth(self) -> float:
        """How many MB the second round added."""
        return self.megabytes[-1] - self.megabytes[-2]

    @property
    def errors(self) -> int:
        """Answers with 5xx."""
        return sum(number for (_, status), number in self.findings.outcomes.items() if status.startswith("5"))

    @property
    def unknown_codings(self) -> int:
        """Those of them which say that a transfer coding is unknown, and so are right."""
        return sum(number for (_, status), number in self.findings.outcomes.items() if status == "501")

    @property
    def faults(self) -> list[str]:
        """What a server that does not break would not have shown."""
        found = [*self.findings.wrong, *self.oracle.excesses]
        if self.slowest_ping > PING_SECONDS:
            found.append(f"/ping took {self.slowest_ping:.1f} s beside a single input; allowed: {PING_SECONDS}")
        if self.deaths:
            found.append(f"{self.deaths} processes died")
        if self.growth > GROWTH_MEGABYTES:
            found.append(f"memory grew by {self.growth:.1f} MB in the second round")
        return found


def run(server: Watched, campaign: Campaign, bounds: Bounds) -> Result:
    """Carry out a campaign against a server that is ready.

    Each input is sent twice: once with nothing beside it but pings, judged by the oracle, and once among others.

    Raises:
        AssertionError: It does not even answer a good image.
        TimeoutError: It neither answers nor closes a connection.
    """
    findings, workers, pings, sent = Findings(), server.workers(), [], 0
    randoms = [Random(f"{campaign.seed}/{number}") for number in range(CLIENTS)]
    clients = [Client(server.port, server.invoke, findings, random) for random in randoms]
    expected, megabytes = clients[0].good_answer(), [server.megabytes()]
    oracle = Oracle(server, bounds)
    for round_number in range(2):
        work = campaign.work(round_number)
        sent += len(work)
        with pinging(server.port) as beside, contextlib.suppress(StillBusyError):
            for one in work:
                oracle.judge(one, partial(clients[0].send, one, expected))
        pings.append(beside)

        def send_part(number: int, work: list[Work] = work) -> None:
            for one in work[number::CLIENTS]:
                clients[number].send(one, expected)

        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(send_part, range(CLIENTS)))
        megabytes.append(server.megabytes())
    for client in clients:
        client.close()
    if "Traceback" in (log := server.log()):
        findings.wrong.append(f"a trace in the log: {log[-2000:]}")
    slowest = max((found for beside in pings for found in beside.seconds), default=0.0)
    return Result(sent, findings, oracle, slowest, len(set(workers) - set(server.workers())), tuple(megabytes))
