"""Rendezvous: every host reaches every other host over TCP before TensorFlow starts, within a bounded time.

TensorFlow's own start-up waits for an hour by default and does not say which host is missing.
"""

import contextlib
import functools
import json
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from image_classifier.contract.errors import PlatformError
from image_classifier.contract.training_variables import HOSTS_WAIT
from image_classifier.training.distributed.cluster_spec import ClusterSpec

_CONNECT_SECONDS = 2.0
_POLL_SECONDS = 0.2
_COMPLETE = "complete"
_MAX_UNIDENTIFIED = 64
"""Connections, besides one for each host, that have not sent a greeting yet; beyond it the oldest are closed."""
_GREETING_SECONDS = 60.0
"""Deadline for the greeting. A host sends it in its first packet, which may be lost and sent again."""


def join(cluster: ClusterSpec, timeout: float) -> float:
    """Wait until every host has reached every other host; return the seconds that it took.

    Afterwards this host's port is free, and no other host connects to it for the rendezvous any more.

    Raises:
        PlatformError: A host is still missing after `timeout` seconds, a host left, or this host's port is taken.
    """
    started = time.monotonic()
    name, port = cluster.address(cluster.this_host)
    try:
        # Sets SO_REUSEADDR: neither this listener nor TensorFlow's may wait for connections that just ended.
        listener = socket.create_server(("", port), backlog=len(cluster.hosts) + _MAX_UNIDENTIFIED)
    except OSError as error:
        raise PlatformError(
            f"Port {port} of {name}, which the hosts of this job use for their rendezvous, is not available: "
            f"{error.strerror}. Stop the other program that listens on it."
        ) from error
    with listener:
        listener.setblocking(False)
        rendezvous = _Rendezvous(cluster, listener, started, timeout)
        try:
            rendezvous.run()
        finally:
            rendezvous.close()
    return time.monotonic() - started


@dataclass
class _Peer:
    """An incoming connection, and what was received on it: a greeting, and later "complete"."""

    connection: socket.socket
    accepted: float = field(default_factory=time.monotonic)
    received: bytes = b""
    host: str | None = None
    """None until the greeting has arrived."""
    complete: bool = False
    closed: bool = False

    def receive(self, hosts: Mapping[bytes, str]) -> bool:
        """Read what has arrived; return False on a protocol error. Keeps no more bytes than the longest message.

        Args:
            hosts: The hosts by their greetings.
        """
        longest = max(map(len, hosts)) + len(_COMPLETE) + 2
        try:
            chunk = self.connection.recv(longest + 1 - len(self.received))
        except BlockingIOError:
            return True
        except OSError:
            chunk = b""
        self.closed = not chunk
        self.received += chunk
        greeting, line_feed, rest = self.received.partition(b"\n")
        self.host = hosts.get(greeting) if line_feed else None
        self.complete = self.host is not None and rest == f"{_COMPLETE}\n".encode()
        if self.host is None:
            return not self.closed and not line_feed and any(known.startswith(greeting) for known in hosts)
        return f"{_COMPLETE}\n".encode().startswith(rest)

    def reset(self) -> None:
        """Close by a TCP reset, which leaves nothing behind at the port that TensorFlow needs."""
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


@dataclass
class _Rendezvous:
    """Each host connects to every other, sends its name, and "complete" once it has reached and heard all others.

    Only the connecting side sends, so unread data cannot turn the end of a connection into a reset. It also closes the
    connection, so TIME_WAIT does not stay at the port that TensorFlow needs.

    Anything that reaches the port can connect. A connection that violates the protocol is dropped, and costs the hosts
    neither memory nor time. There is no authentication: the network has to keep strangers out.
    """

    cluster: ClusterSpec
    listener: socket.socket
    started: float
    timeout: float
    reached: dict[str, socket.socket] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    peers: list[_Peer] = field(default_factory=list)

    def run(self) -> None:
        others = self.cluster.other_hosts
        # A host is missing until it was reached and has connected itself ...
        self._wait_for(lambda: [host for host in others if host not in self.reached or not self._is_connected(host)])
        for connection in self.reached.values():
            # A host that exited is reported below, where it is missing.
            with contextlib.suppress(OSError):
                connection.sendall(f"{_COMPLETE}\n".encode())
            connection.close()
        # ... and until no host is missing for it either: only then does no host connect to this port any more.
        self._wait_for(lambda: [host for host in others if not self._is_complete(host)])

    def close(self) -> None:
        for connection in [*self.reached.values(), *(peer.connection for peer in self.peers)]:
            connection.close()

    def _greeting(self, host: str) -> str:
        return json.dumps({"host": host, "of": self.cluster.hosts})

    @functools.cached_property
    def _greetings(self) -> dict[bytes, str]:
        return {self._greeting(host).encode(): host for host in self.cluster.other_hosts}

    def _is_connected(self, host: str) -> bool:
        return any(peer.host == host and (not peer.closed or peer.complete) for peer in self.peers)

    def _is_complete(self, host: str) -> bool:
        return any(peer.host == host and peer.complete for peer in self.peers)

    def _has_left(self, host: str) -> bool:
        return any(peer.host == host for peer in self.peers) and not self._is_connected(host)

    def _wait_for(self, missing: Callable[[], list[str]]) -> None:
        others = self.cluster.other_hosts
        while still_missing := missing():
            left = [host for host in others if self._has_left(host)]
            if left or time.monotonic() - self.started > self.timeout:
                raise PlatformError(self._failure_message(still_missing, left))
            for host in others:
                if host not in self.reached:
                    self._connect(host)
            self._accept_and_receive()

    def _connect(self, host: str) -> None:
        address = self.cluster.address(host)
        try:
            connection = socket.create_connection(address, timeout=_CONNECT_SECONDS)
            connection.sendall(f"{self._greeting(self.cluster.this_host)}\n".encode())
        except socket.gaierror as error:
            self.failures[host] = f"its name does not resolve ({error.strerror})"
        except OSError as error:
            self.failures[host] = f"no connection to its port {address[1]} ({error.strerror or error})"
        else:
            self.reached[host] = connection

    def _accept_and_receive(self) -> None:
        live = [peer.connection for peer in self.peers if not peer.closed]
        ready = set(select.select([self.listener, *live], [], [], _POLL_SECONDS)[0])
        if self.listener in ready:
            ready |= self._accept()
        for peer in [peer for peer in self.peers if peer.connection in ready]:
            if not peer.receive(self._greetings):
                self._drop(peer)
        unidentified = [peer for peer in self.peers if peer.host is None]
        expired = [peer for peer in unidentified if time.monotonic() - peer.accepted > _GREETING_SECONDS]
        limit = len(self.cluster.hosts) + _MAX_UNIDENTIFIED
        for peer in {id(each): each for each in (*unidentified[:-limit], *expired)}.values():
            self._drop(peer)

    def _accept(self) -> set[socket.socket]:
        """Accept pending connections, at most as many as may stay unidentified."""
        accepted: set[socket.socket] = set()
        # A connection that is gone again, or a lack of descriptors, ends this round; the next round retries.
        with contextlib.suppress(OSError):
            while len(accepted) < _MAX_UNIDENTIFIED:
                connection = self.listener.accept()[0]
                connection.setblocking(False)
                self.peers.append(_Peer(connection))
                accepted.add(connection)
        return accepted

    def _drop(self, peer: _Peer) -> None:
        peer.reset()
        self.peers.remove(peer)

    def _failure_message(self, missing: list[str], left: list[str]) -> str:
        hosts, elapsed = self.cluster.hosts, time.monotonic() - self.started
        joined = [host for host in self.cluster.other_hosts if host not in missing]
        reasons = [f"{host}: {self._reason(host)}" for host in missing if host not in left]
        return (
            f"Only {1 + len(joined)} of {len(hosts)} hosts (instance_count) joined within {elapsed:.0f} s. "
            + (f"Left before the rendezvous was complete: {', '.join(left)}. " if left else "")
            + (f"Missing: {'; '.join(reasons)}. " if reasons else "")
            + f"This host is {self.cluster.this_host}; joined: {', '.join(joined) or 'no other host'}. Read the log of "
            "each host that is missing or left. All hosts must be in one VPC, in a security group whose members may "
            f"reach each other on every TCP port. {HOSTS_WAIT.name} sets how long to wait."
        )

    def _reason(self, host: str) -> str:
        if self._is_connected(host):
            return "it is still waiting for another host" if host in self.reached else self.failures[host]
        if host in self.reached:
            return "it accepts connections but has not connected to this host"
        return self.failures.get(host, "not reached yet")
