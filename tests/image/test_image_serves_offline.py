import json
from pathlib import Path

from tests.image.containers import Container


def test_ping_is_empty_and_ok(server: Container) -> None:
    """Given a server whose model is loaded -> /ping answers 200 with nothing in it."""
    answer = server.ask("/ping")
    assert (answer.status, answer.body) == (200, b"")


def test_held_out_photographs_are_told_apart(server: Container, photographs: Path) -> None:
    """Given photographs that training never saw, half of each class -> more than 65 % get their own class."""
    images = sorted((photographs / "held-out").glob("*/*"))[::2]
    right = 0
    for image in images:
        answer = server.ask("/invocations", image.read_bytes(), accept="application/json;verbose")
        assert answer.status == 200, answer.body
        right += json.loads(answer.body)["predicted_label"] == image.parent.name
    assert right / len(images) > 0.65, f"{right} of {len(images)}"


def test_text_is_rejected_and_the_server_lives(server: Container) -> None:
    """Given text where an image is promised -> 400 with a reason, and /ping still says 200."""
    answer = server.ask("/invocations", b"no image at all")
    assert answer.status == 400, answer
    assert server.ask("/ping").status == 200
