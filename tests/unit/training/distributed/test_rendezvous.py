"""The rendezvous of hosts, each a thread of this process on a port of its own."""

import json
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.contract.opt_ml import Resources
from image_classifier.contract.training_variables import HOSTS_WAIT
from image_classifier.training.distributed import cluster_spec, rendezvous
from image_classifier.training.distributed.cluster_spec import ClusterSpec
from tests.support.waiting import free_port


def on_loopback(count: int) -> list[ClusterSpec]:
    """Return the specification of a cluster of `count` hosts on this machine, one for each of its hosts."""
    hosts = tuple(sorted(f"127.0.0.1:{free_port()}" for _ in range(count)))
    return [ClusterSpec(hosts, rank) for rank in range(count)]


def test_hosts_are_sorted_and_the_first_is_chief() -> None:
    """Given hosts in any order -> every host computes the same ranks, and the first by name has rank 0."""
    hosts = ("algo-2", "algo-3", "algo-1")
    found = [cluster_spec.from_resources(Resources(current_host=name, hosts=hosts)) for name in ("algo-1", "algo-3")]
    assert [each.rank for each in found] == [0, 2]
    assert {each.hosts for each in found} == {("algo-1", "algo-2", "algo-3")}


def test_tf_config_names_all_hosts_and_this_one() -> None:
    """Given two hosts, one with a port of its own -> TensorFlow's JSON has both addresses and this one's index."""
    config = json.loads(ClusterSpec(("algo-1", "localhost:5001"), 1).tf_config)
    assert config["cluster"] == {"worker": [f"algo-1:{cluster_spec.PORT}", "localhost:5001"]}
    assert config["task"] == {"type": "worker", "index": 1}


@pytest.mark.parametrize(("current", "hosts"), [("algo-3", ("algo-1", "algo-2")), ("algo-1", ("algo-1", "algo-1"))])
def test_contradicting_resources_are_rejected(current: str, hosts: tuple[str, ...]) -> None:
    """Given a host that is not among the hosts, or one named twice -> PlatformError with all names."""
    with pytest.raises(PlatformError, match=f"{hosts[0]}, {hosts[1]} and the current host {current}"):
        cluster_spec.from_resources(Resources(current_host=current, hosts=hosts))


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_timeouts_come_from_the_environment(text: str) -> None:
    """Given HOSTS_WAIT_SECONDS -> its value, 15 minutes when it is unset, UserError for what is not a duration."""
    assert HOSTS_WAIT.read({"HOSTS_WAIT_SECONDS": " 2.5 "}) == 2.5
    assert HOSTS_WAIT.read({}) == 900
    with pytest.raises(UserError, match=f"HOSTS_WAIT_SECONDS is '{text}'; allowed: a number of seconds above 0"):
        HOSTS_WAIT.read({"HOSTS_WAIT_SECONDS": text})


@pytest.mark.parametrize("count", [2, 5])
def test_hosts_that_start_at_different_times_join(count: int) -> None:
    """Given hosts that start 0.2 s apart -> all join, none before the last started, and every port is free at once."""
    started: list[float] = []

    def join(each: ClusterSpec) -> float:
        time.sleep(0.2 * each.rank)
        started.append(time.monotonic())
        rendezvous.join(each, 20)
        joined = time.monotonic()
        # As TensorFlow does next: the port must be free although other hosts may still be in the rendezvous.
        socket.create_server(("", int(each.addresses[each.rank].split(":")[1]))).close()
        return joined

    with ThreadPoolExecutor(count) as pool:
        joined = list(pool.map(join, on_loopback(count)))
    assert min(joined) >= max(started)
    assert max(joined) - max(started) < 5


def test_a_stranger_does_not_disturb_the_rendezvous() -> None:
    """Given a connection that sends other bytes, and a silent one -> the two hosts still join."""
    first, second = on_loopback(2)
    port = int(first.addresses[0].split(":")[1])
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(rendezvous.join, first, 20)
        strangers = [dial_when_open(port), dial_when_open(port)]
        strangers[0].sendall(b"GET / HTTP/1.1\r\n\r\n\xff\n")
        assert pool.submit(rendezvous.join, second, 20).result() < 10
        assert waiting.result() < 10
    for stranger in strangers:
        stranger.close()


def dial_when_open(port: int) -> socket.socket:
    """Connect to a port of this machine as soon as something listens there."""
    end = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.02)


def test_a_host_that_never_joins_is_named_by_every_other() -> None:
    """Given three hosts of which two start -> both errors name the missing host, the time and what to check."""
    clusters = on_loopback(3)
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(rendezvous.join, each, 1.5) for each in clusters[:2]]
        messages = [str(end.exception()) for end in ends]
    assert time.monotonic() - started < 8
    for message in messages:
        assert " of 3 hosts (instance_count) joined within" in message
        assert f"Missing: {clusters[0].hosts[2]}: no connection to its port" in message
        assert "security group" in message
    assert any("joined within 2 s" in message for message in messages)


def test_a_name_that_does_not_resolve_is_reported() -> None:
    """Given a host name without an address -> the error after the timeout says that it does not resolve."""
    here = ClusterSpec((f"127.0.0.1:{free_port()}", "nowhere.invalid"), 0)
    with pytest.raises(PlatformError, match=r"nowhere\.invalid: its name does not resolve"):
        rendezvous.join(here, 0.5)


def test_a_host_that_accepts_but_does_not_connect_is_told_apart() -> None:
    """Given a host that accepts connections and opens none -> the error says that it has not connected."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        here = ClusterSpec((f"127.0.0.1:{free_port()}", f"127.0.0.1:{deaf.getsockname()[1]}"), 0)
        with pytest.raises(PlatformError, match="it accepts connections but has not connected to this host"):
            rendezvous.join(here, 0.5)


def test_a_host_that_leaves_again_ends_the_others_wait_at_once() -> None:
    """Given three hosts, one missing, and one with a short timeout -> the other fails then, not at its own timeout."""
    first, second, _ = on_loopback(3)
    with ThreadPoolExecutor(2) as pool:
        patient: Future[float] = pool.submit(rendezvous.join, first, 60)
        pool.submit(rendezvous.join, second, 1)
        started = time.monotonic()
        error = patient.exception(20)
    assert isinstance(error, PlatformError)
    assert f"Left before the rendezvous was complete: {second.hosts[1]}" in str(error)
    assert time.monotonic() - started < 15


def test_a_taken_port_is_reported() -> None:
    """Given another program on this host's port -> PlatformError that names the port."""
    with socket.create_server(("", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PlatformError, match=f"Port {port} of 127.0.0.1"):
            rendezvous.join(ClusterSpec((f"127.0.0.1:{port}", "127.0.0.1:1"), 0), 1)


def test_twenty_rendezvous_in_a_row_never_fail() -> None:
    """Given the same two ports again and again, closed by either side first -> every rendezvous succeeds."""
    pair = on_loopback(2)
    both = threading.Barrier(2)
    failures: list[BaseException] = []

    def join(each: ClusterSpec) -> None:
        try:
            for _ in range(20):
                rendezvous.join(each, 20)
                both.wait(20)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=join, args=(each,)) for each in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def keep_sending(connection: socket.socket, content: bytes) -> int:
    """Send until the other side closes; return how many bytes it accepted."""
    taken = 0
    connection.settimeout(5)
    try:
        while taken < 100_000_000:
            taken += connection.send(content)
    except OSError:
        pass
    connection.close()
    return taken


def test_strangers_neither_fill_the_memory_nor_stall_the_hosts() -> None:
    """Given an endless sender, one that begins with a greeting, and 300 silent connections -> dropped, all join."""
    first, second = on_loopback(2)
    name, port = first.hosts[1], int(first.addresses[0].split(":")[1])
    greeting = json.dumps({"host": name, "of": first.hosts}).encode()
    with ThreadPoolExecutor(5) as pool:
        waiting = pool.submit(rendezvous.join, first, 30)
        endless = pool.submit(keep_sending, dial_when_open(port), b"x" * 65536)
        alike = pool.submit(keep_sending, dial_when_open(port), greeting + b"\ncompleted and more\n" * 1000)
        assert max(endless.result(20), alike.result(20)) < 20_000_000
        silent = [dial_when_open(port) for _ in range(300)]
        silent[0].close()
        assert pool.submit(rendezvous.join, second, 30).result() < 15
        assert waiting.result() < 30
    for stranger in silent:
        stranger.close()


def test_no_more_is_kept_of_a_connection_than_a_host_sends() -> None:
    """Given a greeting in two pieces, then 100,000 bytes -> accepted, then rejected with few bytes kept."""
    ours, theirs = socket.socketpair()
    peer = rendezvous._Peer(ours)
    ours.setblocking(False)
    hosts = {b'{"host": "a"}': "a", b'{"host": "b"}': "b"}
    theirs.sendall(b'{"host":')
    assert peer.receive(hosts)
    assert peer.host is None
    theirs.sendall(b' "a"}\ncomp')
    assert peer.receive(hosts)
    assert [peer.host, peer.complete] == ["a", False]
    theirs.sendall(b"lete\n")
    assert peer.receive(hosts)
    assert peer.complete
    theirs.sendall(b"x" * 100_000)
    assert not peer.receive(hosts)
    assert len(peer.received) < 100
    for connection in (ours, theirs):
        connection.close()
