"""A server under load, observed from outside: its processes and their memory."""

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.image.containers import Container, docker
from tests.platform.serving import Server

_OF_CONTAINER = "cat /proc/1/smaps_rollup; for p in $(cat /proc/1/task/1/children); do cat /proc/$p/smaps_rollup; done"


@dataclass(frozen=True)
class Watched:
    """Where it listens on 127.0.0.1, and how to look at it."""

    port: int
    workers: Callable[[], list[int]]
    """The ids of its processes below the first."""
    megabytes: Callable[[], float]
    """What its processes hold together: PSS, in which a page that several share counts once."""
    log: Callable[[], str]
    invoke: str = "/invocations"
    """The path to which images are posted."""


def of_process(server: Server, invoke: str = "/invocations") -> Watched:
    """Watch a server that was started here as a process."""

    def megabytes() -> float:
        return pss(
            Path(f"/proc/{number}/smaps_rollup").read_text() for number in [server.process.pid, *server.workers()]
        )

    return Watched(server.port, server.workers, megabytes, server.log, invoke)


def of_container(container: Container, port: int) -> Watched:
    """Watch a server in a container, whose process 1 it is."""

    def workers() -> list[int]:
        return [int(word) for word in docker("exec", container.name, "cat", "/proc/1/task/1/children").split()]

    def megabytes() -> float:
        command = ["docker", "exec", container.name, "sh", "-c", _OF_CONTAINER]
        return pss([subprocess.run(command, check=True, capture_output=True, text=True).stdout])

    return Watched(port, workers, megabytes, container.log)


def pss(rollups: Iterable[str]) -> float:
    """Add up the lines `Pss:` of /proc/PID/smaps_rollup, in MB of 2^20 bytes."""
    lines = [line for text in rollups for line in text.splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) for line in lines) / 1024
