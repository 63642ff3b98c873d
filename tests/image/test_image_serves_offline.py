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
    bodies = [image.read_bytes() for image in images]
    answers = server.ask_each("/invocations", bodies, accept="application/json;verbose")
    assert [answer.status for answer in answers] == [200] * len(images), answers[0].body
    labels = [json.loads(answer.body)["predicted_label"] for answer in answers]
    right = sum(label == image.parent.name for label, image in zip(labels, images, strict=True))
    assert right / len(images) > 0.65, f"{right} of {len(images)}"


def test_text_is_rejected_and_the_server_lives(server: Container) -> None:
    """Given text where an image is promised -> 400 with a reason, and /ping still says 200."""
    answer = server.ask("/invocations", b"no image at all")
    assert answer.status == 400, answer
    assert server.ask("/ping").status == 200
