"""Where the server listens."""

import socket
import threading
from collections.abc import Iterator

import pytest

from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.serving.processes import listening


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that another process would listen on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        found.listen()
        yield found


def test_port_in_use_is_one_sentence(listener: socket.socket) -> None:
    """Given a port on which another process listens -> PlatformError with the port and what to do."""
    port = listener.getsockname()[1]
    with pytest.raises(PlatformError, match=rf"port {port} of 127\.0\.0\.1: Address already in use\. Stop the other"):
        listening.check("127.0.0.1", port, patience=0)


def test_port_that_becomes_free_is_waited_for(listener: socket.socket) -> None:
    """Given a server that still drains its requests -> its port is waited for."""
    port = listener.getsockname()[1]
    threading.Timer(0.2, listener.close).start()
    listening.check("127.0.0.1", port, patience=30)
    assert listener.fileno() == -1, "the check came back while the port was in use"


@pytest.mark.parametrize("host", ["nosuch host", "256.1.1.1", "192.0.2.1", "127.0.0.1:80", "a..b", "x" * 70])
def test_address_of_another_machine_is_one_sentence(host: str) -> None:
    """Given names and addresses that are not this machine's -> UserError at once, with the variable."""
    with pytest.raises(UserError, match=r"cannot listen on port 8080 of .*: .*\. Set SERVE_HOST to an address of this"):
        listening.check(host, 8080)


def test_ipv6_is_bound_in_brackets() -> None:
    """Given addresses of both versions -> what gunicorn understands."""
    assert [listening.bind(host, 80) for host in ("::1", "[::1]", "0.0.0.0")] == [
        "[::1]:80",
        "[::1]:80",
        "0.0.0.0:80",
    ]
