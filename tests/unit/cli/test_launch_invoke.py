"""scripts/launch invoke, over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest
from moto.backends import get_backend

from image_classifier.cli.launch import __main__ as launch
from image_classifier.cli.predictions import outcomes
from tests.support.aws import ACCOUNT
from tests.support.guides import write_plain_image
from tests.support.sagemaker_service import BUCKET, IMAGE, REGION, ROLE, SageMakerService

ANSWER = {"probabilities": [0.9, 0.1], "labels": ["cat", "dog"], "predicted_label": "cat"}


def deploy(folder: Path, *words: str) -> None:
    """Make the endpoint flowers of a model folder."""
    (folder / "model" / "1").mkdir(parents=True)
    (folder / "model" / "1" / "saved_model.pb").write_bytes(b"graph")
    flags = ["--image", IMAGE, "--role", ROLE, "--location", f"s3://{BUCKET}/image-classifier"]
    assert launch.main(["deploy", str(folder / "model"), "--name", "flowers", *flags, *words]) == 0


def test_images_are_classified_and_scored(
    service: SageMakerService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given two class folders -> a line for each image, a table, and the accuracy."""
    deploy(tmp_path)
    for name in ("cat", "dog"):
        write_plain_image(tmp_path / "photos" / name / f"{name}.bmp")
    get_backend("sagemaker-runtime")[ACCOUNT][REGION].results_queue.append(
        (json.dumps(ANSWER), "application/json", "all", "")
    )
    assert launch.main(["invoke", "flowers", str(tmp_path / "photos"), "--csv", str(tmp_path / "answers.csv")]) == 0
    shown = capsys.readouterr().out
    assert "cat.bmp  cat 90.0 %   dog 10.0 %" in shown
    assert "50" in shown.splitlines()[-1]
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 3


def test_rejection_of_many_images_is_said_once(
    service: SageMakerService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given 12 images that the endpoint rejects, and one that cannot be read -> two errors, and the others' names."""
    deploy(tmp_path)
    images = [write_plain_image(tmp_path / "photos" / f"{number:02}.bmp") for number in range(12)]
    said = json.dumps({"message": "Accept '*' is not offered."})
    answer = json.dumps({"Message": f'Received client error (406) from all with message "{said}"'})

    def reject(environment: dict[str, Any], start: Any) -> list[bytes]:
        environment["wsgi.input"].read(int(environment["CONTENT_LENGTH"]))
        start("424 Failed Dependency", [("X-Amzn-ErrorType", "ModelError")])
        return [answer.encode()]

    service.hosting = reject
    capsys.readouterr()
    assert launch.main(["invoke", "flowers", str(tmp_path / "photos"), str(tmp_path / "absent.jpg")]) == 1
    first, unreadable, others = capsys.readouterr().err.splitlines()
    rejected = f"{images[0]}: the endpoint flowers: the server rejected the request (Accept '*' is not offered)"
    assert first == f"UserError: {rejected}. Formats and limits: docs/reference/http.md"
    assert unreadable == f"UserError: {tmp_path / 'absent.jpg'} cannot be read: No such file or directory."
    listed = ", ".join(map(str, images[1:9]))
    assert others == f"The error of {images[0]} is that of 11 other images too: {listed} and 3 more."


def test_asynchronous_endpoint_answers_through_s3(
    service: SageMakerService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an asynchronous endpoint -> the image goes to S3, and its answer is printed."""
    deploy(tmp_path, "--kind", "asynchronous")
    get_backend("sagemaker-runtime")[ACCOUNT][REGION].async_results_queue.append((False, json.dumps(ANSWER)))
    image = write_plain_image(tmp_path / "one.bmp")
    capsys.readouterr()
    assert launch.main(["invoke", "flowers", str(image), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predicted_label"] == "cat"


def test_endpoint_that_does_not_exist_is_named(
    service: SageMakerService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a mistyped name -> an error that says how to list endpoints."""
    assert launch.main(["invoke", "flower", str(write_plain_image(tmp_path / "one.bmp"))]) == 1
    assert "The endpoint flower does not exist in the region eu-west-1" in capsys.readouterr().err


def answering(service: SageMakerService, *answers: bool) -> list[str]:
    """Let the endpoint answer (True) or fail (False) for one request after the other, the last one for all others.

    Returns the requests, which grow.
    """
    asked: list[str] = []
    failure = json.dumps({"Message": 'Received server error (500) from all with message ""'})

    def answer(environment: dict[str, Any], start: Any) -> list[bytes]:
        environment["wsgi.input"].read(int(environment["CONTENT_LENGTH"]))
        is_answered = answers[min(len(asked), len(answers) - 1)]
        asked.append(environment["PATH_INFO"])
        if is_answered:
            start("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(ANSWER).encode()]
        start("424 Failed Dependency", [("X-Amzn-ErrorType", "ModelError")])
        return [failure.encode()]

    service.hosting = answer
    return asked


def test_answers_before_the_endpoint_fails_are_kept(
    service: SageMakerService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure from the third of 9 images on -> two rows, a sentence, exit 3; --resume asks for the rest."""
    deploy(tmp_path)
    for number in range(9):
        write_plain_image(tmp_path / "photos" / f"{number}.bmp")
    table = tmp_path / "answers.csv"
    words = ["invoke", "flowers", str(tmp_path / "photos"), "--csv", str(table)]
    asked = answering(service, True, True, False)
    capsys.readouterr()
    assert launch.main(words) == outcomes.OF_THE_SERVER
    assert len(asked) == 2 + outcomes.MOST_FAILURES
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("PlatformError: ")
    assert "the server failed (Received server error (500)" in last
    assert f"{table}.partial has the answers for 2 of 9 images. The same command with --resume asks for the" in last
    assert not table.exists()
    asked = answering(service, True)
    assert launch.main(words) == outcomes.OF_THE_USER
    assert "Add --resume" in capsys.readouterr().err
    assert asked == []
    assert launch.main([*words, "--resume"]) == 0
    assert len(asked) == 7
    assert len(table.read_text().splitlines()) == 10


def test_image_on_which_the_endpoint_fails_does_not_stop_the_others(
    service: SageMakerService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure for the second of three images -> answers to the others, and the exit code of the server."""
    deploy(tmp_path)
    images = [str(write_plain_image(tmp_path / f"{number}.bmp")) for number in range(3)]
    answering(service, True, False, True)
    capsys.readouterr()
    assert launch.main(["invoke", "flowers", *images]) == outcomes.OF_THE_SERVER
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [images[0], images[2]]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ('Received client error (400) from all with message "no image"', outcomes.OF_THE_USER),
        ('Received server error (500) from all with message ""', outcomes.OF_THE_SERVER),
        ("Model container response timed out", outcomes.OF_THE_SERVER),
    ],
)
def test_failure_of_an_asynchronous_endpoint_names_its_owner(
    service: SageMakerService, tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str, code: int
) -> None:
    """Given what the platform writes in place of an answer -> rejected, or failed, with the exit code of the owner."""
    deploy(tmp_path, "--kind", "asynchronous")
    get_backend("sagemaker-runtime")[ACCOUNT][REGION].async_results_queue.append((True, reason))
    image = write_plain_image(tmp_path / "one.bmp")
    capsys.readouterr()
    assert launch.main(["invoke", "flowers", str(image)]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
    assert line.startswith("UserError: " if code == outcomes.OF_THE_USER else "PlatformError: ")
