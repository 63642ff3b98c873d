"""Familiarity and explanations from a real server: single and multi-model, several workers, corrupt files, commands."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from image_classifier import artifacts
from tests.platform import sample_images
from tests.platform.serving import ROOT, Server, running, start_server
from tests.support import tiny_models

JSON = "application/json"


def image(*colour: int) -> bytes:
    """Return a PNG of one colour."""
    return sample_images.encode(Image.new("RGB", (40, 30), colour), "PNG")


GREY, GREEN = image(128, 128, 128), image(0, 255, 0)


def write(folder: Path) -> Path:
    """Write a model that knows which images are familiar."""
    model = tiny_models.write(folder, "tiny", features=True).folder
    tiny_models.write_familiarity(model)
    return model


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two workers, explanations and the web UI."""
    tree = tmp_path_factory.mktemp("opt-ml")
    write(tree / "model")
    variables = {"SAGEMAKER_MODEL_SERVER_WORKERS": "2", "SERVE_EXPLAIN": "true", "SERVE_PAGE": "true"}
    with running(start_server(tree, **variables)) as found:
        yield found


def test_both_workers_tell_familiar_images(server: Server) -> None:
    """Given a grey and a green image, several times -> 1 and 0; plain requests have no such key."""
    for _ in range(8):
        found = [server.classify(one, Accept=f"{JSON};verbose;ood").json for one in (GREY, GREEN)]
        assert [entry["familiarity"] for entry in found] == [1.0, 0.0]
    assert list(server.classify(GREY).json) == ["probabilities"]


def test_model_card_says_that_it_can_tell(server: Server) -> None:
    """Given the facts of the web UI -> familiarity is among them, and its script asks for it."""
    assert server.ask("/page/facts").json["familiarity"] is True
    assert b'familiarity ? ";ood"' in server.ask("/page/server.js").body


def test_explanation_is_answered_and_logged_as_one_request(server: Server) -> None:
    """Given a request for an explanation -> 28 rows of 28 numbers, and one line in the access log."""
    answer = server.classify(GREEN, Accept=f"{JSON};explain", X_Request_Id="explained-once")
    assert (answer.status, answer.headers["Content-Type"]) == (200, JSON)
    assert [len(row) for row in answer.json["explanation"]["drops"]] == [28] * 28
    assert server.log().count("explained-once") == 1


def test_answers_do_not_change_with_the_file(server: Server, tmp_path: Path, start: Callable[..., Server]) -> None:
    """Given the same model without the file, and no variable set -> the same bytes; 406 for both parameters."""
    shutil.copytree(server.log_file.parent / "model", tmp_path / "model")
    (tmp_path / "model" / artifacts.FAMILIARITY_FILE).unlink()
    other = start(tmp_path)
    other.wait_until_ready()
    for accept in (JSON, f"{JSON};verbose", f"{JSON};embedding", "application/jsonlines"):
        for one in (GREY, GREEN):
            assert server.classify(one, Accept=accept).body == other.classify(one, Accept=accept).body
    codes = [other.classify(GREY, Accept=f"{JSON};{word}").json["error"] for word in ("ood", "explain")]
    assert codes == ["no_familiarity", "explain_is_off"]


def test_server_of_a_corrupt_file_says_so_and_exits(tmp_path: Path, start: Callable[..., Server]) -> None:
    """Given half of the file -> the server exits with an error, one sentence with file and remedy."""
    path = write(tmp_path / "model") / artifacts.FAMILIARITY_FILE
    path.write_bytes(path.read_bytes()[:1000])
    server = start(tmp_path)
    assert server.end() != 0
    assert f"UserError: {path} is corrupt: " in server.log()
    assert "remove this file" in server.log()
    assert "Traceback" not in server.log()


@pytest.mark.every
def test_models_of_a_multi_model_server_have_their_own(tmp_path: Path, start: Callable[..., Server]) -> None:
    """Given one model with the file and one without -> familiarity of the first, 406 of the second."""
    write(tmp_path / "models" / "with")
    tiny_models.write(tmp_path / "models" / "without", "other", features=True)
    server = start(tmp_path, SAGEMAKER_MULTI_MODEL="true")
    server.wait_until_ready()
    for name in ("with", "without"):
        body = f'{{"model_name": "{name}", "url": "{tmp_path / "models" / name}"}}'.encode()
        assert server.ask("/models", body, Content_Type=JSON).status == 200, server.log()
    answers: dict[str, Any] = {
        name: server.ask(f"/models/{name}/invoke", GREY, Content_Type="image/png", Accept=f"{JSON};ood")
        for name in ("with", "without")
    }
    assert answers["with"].json["familiarity"] == 1.0
    assert (answers["without"].status, answers["without"].json["error"]) == (406, "no_familiarity")


@pytest.mark.every
def test_predict_draws_an_explanation(tmp_path: Path) -> None:
    """Given scripts/predict --model --explain with an image -> prediction, check, and a PNG; twice -> not replaced."""
    write(tmp_path / "model")
    photo = Image.new("RGB", (64, 48), (90, 90, 90))
    photo.paste((255, 0, 0), (8, 20, 24, 36))
    (tmp_path / "square.png").write_bytes(sample_images.encode(photo, "PNG"))
    command = [str(ROOT / "scripts" / "predict"), "square.png", "--model", "model", "--explain"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third = done.stdout.splitlines()
    assert first.startswith("square.png  tiny-red ")
    assert second.startswith("Covering the 20 % that the map marks lowers tiny-red by 0.")
    assert third == "Written: square-explained.png"
    with Image.open(tmp_path / "square-explained.png") as drawn:
        assert drawn.size == (64, 48)
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (again.returncode, again.stdout) == (1, "")
    assert "square-explained.png exists already" in again.stderr
