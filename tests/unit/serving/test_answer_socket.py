"""Clients that take their answer slowly."""

import socket
import threading
import time

import pytest

from image_classifier.serving.connections.answer_socket import AnswerSocket


def test_one_deadline_for_all_pieces() -> None:
    """A client that takes each piece just in time -> the answer ends at its deadline, however many pieces it has."""
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
    answered, began = AnswerSocket(server, 0.5), time.monotonic()
    with pytest.raises(TimeoutError):
        send_for_ever(answered)
    assert 0.3 < time.monotonic() - began < 10
    stop.set()
    reader.join()
    server.close()
    client.close()


def send_for_ever(answered: AnswerSocket) -> None:
    """Send small pieces, each of which is taken within the time of one."""
    while True:
        answered.sendall(b"x" * 2000)


def test_time_before_the_first_byte_does_not_count() -> None:
    """An answer that is made for longer than it may be sent -> it is sent all the same."""
    server, client = socket.socketpair()
    answered = AnswerSocket(server, 0.2)
    time.sleep(0.3)
    answered.sendall(b"here")
    assert client.recv(10) == b"here"
    server.close()
    client.close()
