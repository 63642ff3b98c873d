"""The hosts of a job: their order and addresses, and a meeting of all before TensorFlow waits for them without end."""

import contextlib
import functools
import json
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from image_classifier.contract.errors import PlatformError
from image_classifier.contract.opt_ml import Resources

PORT = 7777
"""Where each host listens, first for the meeting and then TensorFlow; all ports are open among a job's hosts."""
WAIT_VARIABLE = "HOSTS_WAIT_SECONDS"
WAIT_SECONDS = 900.0
"""How long a host waits for the others; SageMaker's training toolkit gives their names as long to resolve."""

_DIAL_SECONDS = 2.0
_PAUSE_SECONDS = 0.2
_COMPLETE = "complete"
_MOST_STRANGERS = 64
"""Besides one for each host: connections that have not yet said which host they are. Of more, the oldest are closed."""
_GREETING_SECONDS = 60.0
"""Within which a connection has to say so; a host does it in its first packet, which may be lost and sent again."""


@dataclass(frozen=True)
class ClusterSpec:
    """The hosts in the order of their ranks, sorted by name, and which of them this is; rank 0 is the chief."""

    hosts: tuple[str, ...]
    rank: int

    @property
    def addresses(self) -> tuple[str, ...]:
        """`name:port` of each host; a host that is given with a port, as several on one machine are, keeps it."""
        return tuple(host if ":" in host else f"{host}:{PORT}" for host in self.hosts)

    @property
    def tf_config(self) -> str:
        """The JSON text from which TensorFlow takes the cluster, in the variable TF_CONFIG."""
        task = {"type": "worker", "index": self.rank}
        return json.dumps({"cluster": {"worker": list(self.addresses)}, "task": task})


def cluster_spec(resources: Resources) -> ClusterSpec:
    """Return the cluster that `resourceconfig.json` describes.

    Raises:
        PlatformError: This host is not among the hosts, or one is named twice.
    """
    hosts = tuple(sorted(resources.hosts))
    if resources.current_host not in hosts or len(set(hosts)) < len(hosts):
        raise PlatformError(
            f"resourceconfig.json gives the hosts {', '.join(hosts)} and says that this is {resources.current_host}. "
            "Each host must be named once, and this one must be among them."
        )
    return ClusterSpec(hosts, hosts.index(resources.current_host))


def wait_seconds(environment: Mapping[str, str] | None = None) -> float:
    """Return how long a host waits for the others: `HOSTS_WAIT_SECONDS`, or 900."""
    variables = os.environ if environment is None else environment
    return float(variables.get(WAIT_VARIABLE) or WAIT_SECONDS)


def join(cluster: ClusterSpec, seconds: float) -> float:
    """Wait until every host has reached every other one, and return the seconds that took.

    Afterwards this host's port is free, and no host will come to it for the meeting any more.

    Raises:
        PlatformError: After `seconds` a host is still missing; or one left again; or this host's port is taken.
    """
    started = time.monotonic()
    name, port = _address(cluster, cluster.hosts[cluster.rank])
    try:
        # It sets SO_REUSEADDR: neither we nor TensorFlow, right after, may wait for connections that just ended.
        listener = socket.create_server(("", port), backlog=len(cluster.hosts) + _MOST_STRANGERS)
    except OSError as error:
        raise PlatformError(
            f"Port {port} of {name}, where the hosts of this job meet, cannot be used: {error.strerror}. "
            "End the other program that listens there."
        ) from error
    with listener:
        listener.setblocking(False)
        meeting = _Meeting(cluster, listener, started, seconds)
        try:
            meeting.hold()
        finally:
            meeting.close()
    return time.monotonic() - started


@dataclass
class _Guest:
    """A connection that came in, and what was said on it: a greeting, and later "complete"."""

    connection: socket.socket
    came: float = field(default_factory=time.monotonic)
    said: bytes = b""
    host: str | None = None
    """None until it has said which host it is."""
    complete: bool = False
    ended: bool = False

    def receive(self, hosts: Mapping[bytes, str]) -> bool:
        """Take in what has come; False when it is not what a host says. Never more than the longest message is kept.

        Args:
            hosts: The hosts by their greetings.
        """
        longest = max(map(len, hosts)) + len(_COMPLETE) + 2
        try:
            received = self.connection.recv(longest + 1 - len(self.said))
        except BlockingIOError:
            return True
        except OSError:
            received = b""
        self.ended = not received
        self.said += received
        greeting, line_feed, rest = self.said.partition(b"\n")
        self.host = hosts.get(greeting) if line_feed else None
        self.complete = self.host is not None and rest == f"{_COMPLETE}\n".encode()
        if self.host is None:
            return not self.ended and not line_feed and any(known.startswith(greeting) for known in hosts)
        return f"{_COMPLETE}\n".encode().startswith(rest)

    def drop(self) -> None:
        """Close it by a reset: nothing of it stays at the port, which TensorFlow needs."""
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


@dataclass
class _Meeting:
    """Each host calls every other one and says its name, and "complete" once it reached and heard all others.

    The caller speaks and the called one only listens, so nothing unread can turn the end of a connection into a reset;
    the caller also ends it, so what TCP remembers of it afterwards does not stay at the port that TensorFlow needs.

    Whoever reaches the port may connect: what does not speak like a host is dropped, and takes neither memory nor time
    from the hosts. Who speaks like one is believed; the hosts' network has to keep others out.
    """

    cluster: ClusterSpec
    listener: socket.socket
    started: float
    seconds: float
    reached: dict[str, socket.socket] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    guests: list[_Guest] = field(default_factory=list)

    def hold(self) -> None:
        # A host is missed until it was reached and has come itself ...
        self._until_none(lambda: [host for host in self._others if host not in self.reached or not self._has(host)])
        for connection in self.reached.values():
            # A host that is gone is found below, where it is missed.
            with contextlib.suppress(OSError):
                connection.sendall(f"{_COMPLETE}\n".encode())
            connection.close()
        # ... and until it, too, misses nobody: only then will nobody come to this port any more.
        self._until_none(lambda: [host for host in self._others if not self._has(host, _COMPLETE)])

    def close(self) -> None:
        for connection in [*self.reached.values(), *(guest.connection for guest in self.guests)]:
            connection.close()

    @property
    def _others(self) -> list[str]:
        return [host for rank, host in enumerate(self.cluster.hosts) if rank != self.cluster.rank]

    def _greeting(self, host: str) -> str:
        return json.dumps({"host": host, "of": self.cluster.hosts})

    @functools.cached_property
    def _greetings(self) -> dict[bytes, str]:
        return {self._greeting(host).encode(): host for host in self._others}

    def _has(self, host: str, word: str = "") -> bool:
        """Whether a host is connected, or has said a word on its connection."""
        calls = [guest for guest in self.guests if guest.host == host]
        return any(guest.complete if word else not guest.ended or guest.complete for guest in calls)

    def _until_none(self, missing: Callable[[], list[str]]) -> None:
        while still := missing():
            left = [host for host in self._others if self._went_away(host)]
            if left or time.monotonic() - self.started > self.seconds:
                raise PlatformError(self._complaint(still, left))
            for host in self._others:
                if host not in self.reached:
                    self._dial(host)
            self._listen()

    def _went_away(self, host: str) -> bool:
        came = any(guest.host == host for guest in self.guests)
        return came and not self._has(host)

    def _dial(self, host: str) -> None:
        address = _address(self.cluster, host)
        try:
            connection = socket.create_connection(address, timeout=_DIAL_SECONDS)
            connection.sendall(f"{self._greeting(self.cluster.hosts[self.cluster.rank])}\n".encode())
        except socket.gaierror as error:
            self.failed[host] = f"its name does not resolve ({error.strerror})"
        except OSError as error:
            self.failed[host] = f"nothing answers at its port {address[1]} ({error.strerror or error})"
        else:
            self.reached[host] = connection

    def _listen(self) -> None:
        live = [guest.connection for guest in self.guests if not guest.ended]
        ready = set(select.select([self.listener, *live], [], [], _PAUSE_SECONDS)[0])
        if self.listener in ready:
            ready |= self._accept()
        for guest in [guest for guest in self.guests if guest.connection in ready]:
            if not guest.receive(self._greetings):
                self._drop(guest)
        strangers = [guest for guest in self.guests if guest.host is None]
        late = [guest for guest in strangers if time.monotonic() - guest.came > _GREETING_SECONDS]
        most = len(self.cluster.hosts) + _MOST_STRANGERS
        for guest in {id(each): each for each in (*strangers[:-most], *late)}.values():
            self._drop(guest)

    def _accept(self) -> set[socket.socket]:
        """Take in the connections that wait, as many at a time as strangers are kept."""
        found: set[socket.socket] = set()
        # One that is gone again, and a lack of descriptors, end this turn; the next one tries again.
        with contextlib.suppress(OSError):
            while len(found) < _MOST_STRANGERS:
                connection = self.listener.accept()[0]
                connection.setblocking(False)
                self.guests.append(_Guest(connection))
                found.add(connection)
        return found

    def _drop(self, guest: _Guest) -> None:
        guest.drop()
        self.guests.remove(guest)

    def _complaint(self, missing: list[str], left: list[str]) -> str:
        after = f"after {time.monotonic() - self.started:.0f} s"
        reasons = [f"{host}: {self._reason(host)}" for host in missing if host not in left]
        parts = []
        if left:
            parts.append(f"{', '.join(left)} came and left again before all hosts had met; its own log says why.")
        if reasons:
            parts.append(f"Not here {after} ({'; '.join(reasons)}).")
        here = [host for host in self._others if host not in missing]
        return (
            f"This job has {len(self.cluster.hosts)} hosts (instance_count), and they did not all meet. "
            f"{' '.join(parts)} This is {self.cluster.hosts[self.cluster.rank]}; {', '.join(here) or 'no other'} came. "
            "Look at the log of each host that is missing; all hosts must be in one VPC, and their security group must "
            f"let its members reach each other on every TCP port. {WAIT_VARIABLE} says how long to wait."
        )

    def _reason(self, host: str) -> str:
        if self._has(host):
            return "it is here but misses another host" if host in self.reached else self.failed[host]
        if host in self.reached:
            return "it answers, but it did not reach this host"
        return self.failed.get(host, "it was not reached")


def _address(cluster: ClusterSpec, host: str) -> tuple[str, int]:
    name, _, port = cluster.addresses[cluster.hosts.index(host)].rpartition(":")
    return name, int(port)
