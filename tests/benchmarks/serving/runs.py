"""One run of one server: start, single requests, load, memory, stop."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from image_classifier import PROGRAM
from tests.benchmarks.serving import load, rows, servers
from tests.benchmarks.serving.load import Load
from tests.benchmarks.serving.memory import tree_megabytes
from tests.benchmarks.serving.places import ROOT, Places
from tests.benchmarks.serving.rows import Row
from tests.benchmarks.serving.servers import Running
from tests.support.waiting import free_port

WARM_UP_SECONDS = 1
LARGE_CONNECTIONS = 4


@dataclass(frozen=True)
class Figures:
    """What one run of a row measured."""

    loads: Mapping[int, Load]
    """By number of connections."""
    ready: float
    first_answer: float
    """Seconds from the process's start."""
    first_request: float | None
    steady_request: float | None
    """Milliseconds of the first answer and of later ones, one at a time; the bare engine has no requests."""
    megabytes: float
    peak_megabytes: float
    """PSS of all processes after the load with small images, and the largest seen in any load."""
    large: Load | None = None
    """With images of 12 megapixels, over `LARGE_CONNECTIONS`."""
    differences: Mapping[str, float] = field(default_factory=dict)
    """Largest |Δp| of images of 12 megapixels, see bare.py; of the bare engine."""
    answers: tuple[tuple[float, ...], ...] = ()
    """Probabilities of the small images; the bare engine gives none away."""

    @property
    def errors(self) -> int:
        """Requests that were not answered with 200."""
        return sum(one.errors for one in [*self.loads.values(), *([self.large] if self.large else [])])


def measure(row: Row, places: Places, connections: Sequence[int], seconds: float) -> Figures:
    """Measure a row in fresh processes.

    Raises:
        RuntimeError: It does not start, or fails.
    """
    if row is rows.BARE:
        return _measure_bare(places, connections, seconds)
    port = free_port()
    command, environment = rows.command(row, places, port), rows.environment(row, places, port)
    return measure_server(command, environment, port, places, connections, seconds, row.large)


def measure_server(
    command: Sequence[str],
    environment: Mapping[str, str],
    port: int,
    places: Places,
    connections: Sequence[int],
    seconds: float,
    large: bool,
) -> Figures:
    """Measure the server that a command starts on a port.

    Args:
        command: What starts it.
        environment: Variables of its process, beside this one's.
        port: Where it listens on 127.0.0.1.
        places: The model and the images.
        connections: How many connections each load has.
        seconds: Length of each load, in seconds.
        large: Whether a load with images of 12 megapixels comes last.

    Raises:
        RuntimeError: It does not start, or fails.
    """
    images = [path.read_bytes() for path in places.small]
    with servers.running(command, environment, port, places.scratch, images[0]) as server:
        steady = server.steady_request(images)
        answers = tuple(server.probabilities(image) for image in images)
        load.put(server.url, 4, WARM_UP_SECONDS, places.small)
        memory: list[float] = []
        loads = {count: _watched_load(server, count, seconds, places, memory) for count in connections}
        after = server.megabytes()
        twelve = _watched_load(server, LARGE_CONNECTIONS, seconds, places, memory, large=True) if large else None
    return Figures(
        loads=loads,
        ready=server.ready,
        first_answer=server.first_answer,
        first_request=server.first_request,
        steady_request=steady,
        megabytes=after,
        peak_megabytes=max([after, *memory]),
        large=twelve,
        answers=answers,
    )


def _watched_load(
    server: Running, connections: int, seconds: float, places: Places, memory: list[float], large: bool = False
) -> Load:
    """Put load on a server; its memory is read once, half way, since reading costs it a little time."""
    half_way = threading.Timer(seconds / 2, lambda: memory.append(server.megabytes()))
    half_way.start()
    try:
        found = load.put(server.url, connections, seconds, places.large if large else places.small)
    finally:
        half_way.join()
    if not found.answers and not large:
        raise RuntimeError(f"No answer over {connections} connections in {seconds} s; the log:\n{server.tail()}")
    return found


def _measure_bare(places: Places, connections: Sequence[int], seconds: float) -> Figures:
    words = json.dumps([str(places.model), list(map(str, places.small)), list(map(str, places.large)), seconds])
    command = [str(places.slim_python), "-m", "tests.benchmarks.serving.bare", words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROGRAM), str(ROOT)])}
    began = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bare:
        assert bare.stdout is not None
        if bare.stdout.readline() != "ready\n":
            raise RuntimeError("The bare engine has not started; what it said is above.")
        ready = time.perf_counter() - began
        alone, together = (read_bare(bare.stdout.readline()) for _ in range(2))
        after = tree_megabytes(bare.pid)
        large, differences = read_bare(bare.stdout.readline()), json.loads(bare.stdout.readline())
        peak = tree_megabytes(bare.pid)
        bare.communicate()
    loads = {count: alone if count == 1 else together for count in connections}
    return Figures(loads, ready, ready, None, None, after, max(after, peak), large, differences)


def read_bare(line: str) -> Load:
    """Read a line of the bare engine: seconds, and the milliseconds of every answer."""
    seconds, times = json.loads(line)
    return Load(seconds, len(times), load.percentile(times, 50), load.percentile(times, 99))
