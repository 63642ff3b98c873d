"""Clients that read their response slowly."""

import socket
import threading
import time

import pytest

from image_classifier.serving.connections.response_socket import ResponseSocket


def test_one_deadline_covers_all_pieces() -> None:
    """Given a client that reads each piece just in time -> the response ends at its deadline, however many pieces."""
    server, client = socket.socketpair()
    client.settimeout(0.05)
    stop = threading.Event()

    def read_slowly() -> None:
        while not stop.wait(0.02):
            try:
                client.recv(4096)
            except TimeoutError:
                continue

    reader = threading.Thread(target=read_slowly)
    reader.start()
    response, began = ResponseSocket(server, 0.5), time.monotonic()
    with pytest.raises(TimeoutError):
        send_forever(response)
    assert 0.3 < time.monotonic() - began < 10
    stop.set()
    reader.join()
    server.close()
    client.close()


def send_forever(response: ResponseSocket) -> None:
    """Send small pieces, each of which is read within the timeout."""
    while True:
        response.sendall(b"x" * 2000)


def test_time_before_the_first_byte_does_not_count() -> None:
    """Given a response whose computation takes longer than the deadline -> it is sent."""
    server, client = socket.socketpair()
    response = ResponseSocket(server, 0.2)
    time.sleep(0.3)
    response.sendall(b"here")
    assert client.recv(10) == b"here"
    server.close()
    client.close()
