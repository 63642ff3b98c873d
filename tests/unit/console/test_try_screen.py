"""The Try & deploy screen without a browser: a trial server, its answers, corrections, endpoints, mistakes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient

from image_classifier.console.context import Console
from image_classifier.console.datasets import known, labels
from image_classifier.console.screens import try_model
from image_classifier.console.trying import corrections, trials
from image_classifier.runners import processes
from image_classifier.runners.endpoints import record, servers
from tests.support.consoles import client_of, make_console
from tests.support.try_jobs import finished_job
from tests.support.waiting import wait_until

PAGE = "/jobs/colours/try"
X_IMAGE = {"Content-Type": "application/x-image", "Accept": "application/json;verbose"}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console with a finished job; its endpoints are killed at the end."""
    found = finished_job(tmp_path_factory.mktemp("try"))
    yield found
    home = trials.home_of(found.home)
    for endpoint in servers.all_of(home):
        if process := processes.read(home / endpoint.name / record.PROCESS):
            processes.kill_session(process)


@pytest.fixture(scope="module")
def client(console: Console) -> Iterator[FlaskClient]:
    """A browser of the console, on whose Try page the server is ready."""
    found = client_of(console)
    assert found.post("/jobs/colours/try/start").status_code == 200
    wait_until(lambda: found.get("/jobs/colours/try/facts").status_code == 200, 60, "the trial server is ready")
    yield found
    found.application.extensions[try_model.EVIDENCE].close()


@pytest.fixture
def image(console: Console) -> bytes:
    """A held-out green image."""
    return (console.jobs / "colours" / "input" / "data" / "validation" / "green" / "08.png").read_bytes()


def test_facts_are_the_servers_and_the_jobs(client: FlaskClient) -> None:
    """Given a finished job -> its server's model card, with held-out images and the reliability of scores."""
    facts = client.get("/jobs/colours/try/facts").get_json()
    assert facts["class_names"] == ["red", "green", "blue"]
    assert facts["explain"] is True
    assert len(facts["samples"]) == 12
    assert sum(one["images"] for one in facts["reliability"]) == 24
    sample = facts["samples"][0]
    full, small = (client.get(urljoin(PAGE, sample[key])) for key in ("url", "thumbnail"))
    assert (full.mimetype, small.mimetype) == ("image/png", "image/webp")


def test_one_server_per_job(client: FlaskClient, console: Console) -> None:
    """Given a second page of the same job -> the same server."""
    first, second = (client.post("/jobs/colours/try/start").get_json()["name"] for _ in range(2))
    assert first == second == "try-colours"
    assert len(servers.all_of(trials.home_of(console.home))) == 1


def test_answer_and_similar_training_images(client: FlaskClient, image: bytes) -> None:
    """Given an image -> the server's answer through the console, and training images of its class."""
    answer = client.post("/jobs/colours/try/invocations", data=image, headers=X_IMAGE)
    assert answer.get_json()["predicted_label"] == "green"
    assert "total;dur=" in answer.headers["Server-Timing"]
    found = client.post("/jobs/colours/try/neighbours", data=image).get_json()["images"]
    assert [one["label"] for one in found] == ["green"] * 6
    assert client.get(urljoin(PAGE, found[0]["url"])).mimetype == "image/webp"


def test_rejections_are_sentences(client: FlaskClient) -> None:
    """Given a text, a body that is too long, and an unknown job -> the server's sentence, 413, a page that says so."""
    rejected = client.post("/jobs/colours/try/invocations", data=b"no image", headers=X_IMAGE)
    assert (rejected.status_code, rejected.get_json()["error"]) == (400, "unsupported_format")
    long = client.post("/jobs/colours/try/invocations", data=b"x" * (26 << 20), headers=X_IMAGE)
    assert long.status_code == 413
    missing = client.get("/jobs/absent/try")
    assert missing.status_code == 404
    assert "Job absent does not exist" in missing.get_data(as_text=True)


def test_correction_becomes_training_data_and_is_taken_back(
    client: FlaskClient, console: Console, image: bytes
) -> None:
    """Given a wrong answer with its right class -> the image in a class folder; other answers move it."""
    folder = corrections.folder_of(console.home, "colours")
    for right_class in ("blue", "red"):
        answer = client.post(f"/jobs/colours/try/corrections?right_class={right_class}", data=image)
        assert answer.get_json()["message"].startswith("Kept with 1 corrected image")
    (kept,) = folder.glob("*/*")
    assert (kept.parent.name, kept.suffix, kept.read_bytes()) == ("red", ".png", image)
    unknown = client.post("/jobs/colours/try/corrections?right_class=..%2f..%2fx", data=image)
    assert unknown.status_code == 400
    client.post("/jobs/colours/try/corrections?right_class=", data=image)
    assert list(folder.glob("*/*")) == []


def test_corrected_sample_changes_its_label_in_the_data_set(
    client: FlaskClient, console: Console, image: bytes
) -> None:
    """Given a held-out image of a known data set -> its label moves there, and back; no file is written."""
    folder = console.jobs / "colours" / "input" / "data"
    channels = {name: folder / name for name in ("training", "validation")}
    data_set = known.add(console.home, "Colours", channels)
    address = "/jobs/colours/try/corrections?sample=validation/8&right_class="
    answer = client.post(f"{address}red", data=image)
    assert "data set Colours is red" in answer.get_json()["message"]
    assert labels.read(console.home, data_set.key).labels == {"validation/green/08.png": "red"}
    assert corrections.count(console.home, "colours") == 0
    client.post(address, data=image)
    assert labels.read(console.home, data_set.key).labels == {}
    known.forget(console.home, data_set.key)


def test_corrections_are_added_to_the_data(client: FlaskClient, console: Console, image: bytes) -> None:
    """Given a correction -> the Try page has a button that adds the folder as a data set."""
    client.post("/jobs/colours/try/corrections?right_class=red", data=image)
    page = client.get(PAGE).get_data(as_text=True)
    assert "1 corrected image<" in page
    form = dict(re.findall(r'name="(training|name)" value="(.*?)"', page))
    assert client.post("/data", data=form).status_code == 303
    assert [one.name for one in known.every(console.home)] == ["Corrections of colours"]
    client.post("/jobs/colours/try/corrections?right_class=", data=image)


def test_images_outside_the_allowed_folders_are_not_shown(
    client: FlaskClient, console: Console, tmp_path: Path
) -> None:
    """Given a link in the data that leads elsewhere -> an error, and no byte of the file."""
    outside = tmp_path / "secret.png"
    outside.write_bytes(b"\x89PNG\r\n\x1a\nsecret")
    linked = console.jobs / "colours" / "input" / "data" / "validation" / "blue" / "16.png"
    content = linked.read_bytes()
    linked.unlink()
    linked.symlink_to(outside)
    try:
        for query in ("", "?small=1"):
            answer = client.get(f"/jobs/colours/try/images/validation/16{query}")
            assert answer.status_code == 400
            assert b"secret" not in answer.data.replace(b"secret.png", b"")
    finally:
        linked.unlink()
        linked.write_bytes(content)


def test_page_names_only_relative_addresses(client: FlaskClient) -> None:
    """Given the Try page -> every address is relative, so that it works below a path of a proxy."""
    page = client.get("/jobs/colours/try").get_data(as_text=True)
    found = re.findall(r'(?:src|href|data-(?:facts|invocations|neighbours|corrections|start))="([^"]*)"', page)
    assert len(found) > 10
    assert [address for address in found if address.startswith("/") or "://" in address] == []


def test_endpoint_is_deployed_used_and_stopped(client: FlaskClient, console: Console, image: bytes) -> None:
    """Given the form with a price -> an endpoint with its page, answers through it, and a stop button that works."""
    form = {"job": "colours", "where": "local", "price": "0,12"}
    answer = client.post("/deployments", data=form)
    assert answer.status_code == 303
    home = trials.home_of(console.home)
    endpoint = servers.find(home, "colours")
    assert endpoint is not None
    assert endpoint.price_per_hour == 0.12
    facts = "/jobs/colours/try/facts?via=colours"
    wait_until(lambda: client.get(facts).status_code == 200, 60, "the endpoint is ready")
    found = client.post("/jobs/colours/try/invocations?via=colours", data=image, headers=X_IMAGE)
    assert json.loads(found.data)["predicted_label"] == "green"
    page = client.get("/deployments/colours").get_data(as_text=True)
    assert endpoint.address in page
    assert "Answered requests</dt><dd>1<" in page
    assert client.post("/deployments/colours/stop").status_code == 303
    wait_until(lambda: servers.status(home, endpoint).state is record.State.STOPPED, 60, "it has stopped")
    assert client.post("/deployments/colours/remove").status_code == 303
    assert servers.find(home, "colours") is None
    assert (console.jobs / "colours" / "model" / "1").is_dir()


def test_all_mistakes_of_the_form_at_once(client: FlaskClient) -> None:
    """Given an unknown model, place and price -> the form again with a sentence for each, and nothing started."""
    answer = client.post("/deployments", data={"job": "absent", "where": "moon", "price": "much"})
    text = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert [word in text for word in ("Model: ", "Where: ", "Price per hour: ")] == [True] * 3


def test_form_of_sagemaker_names_what_is_missing(client: FlaskClient, console: Console) -> None:
    """Given a serverless endpoint without a role -> the form again with what was typed, and nothing started."""
    before = len(servers.all_of(trials.home_of(console.home)))
    form = {"job": "colours", "where": "serverless", "image": "my-image", "memory_mb": "3"}
    text = client.post("/deployments", data=form).get_data(as_text=True)
    assert "the execution role is missing" in text
    assert "memory_mb" in text
    assert 'name="image" value="my-image"' in text
    assert len(servers.all_of(trials.home_of(console.home))) == before


@pytest.mark.parametrize("way", ["local", "docker", "real-time", "serverless", "batch"])
def test_same_in_code(client: FlaskClient, way: str) -> None:
    """Given each way to deploy -> its code; Python parses."""
    page = client.get(f"/deployments?job=colours&where={way}&code=boto3").get_data(as_text=True)
    code = re.findall(r"<pre[^>]*><code[^>]*>(.*?)</code>", page, re.DOTALL)[-1]
    text = code.replace("&#39;", "'").replace("&#34;", '"').replace("&gt;", ">").replace("&amp;", "&")
    if way in ("local", "docker"):
        assert "curl http://127.0.0.1:8080/invocations" in text
        assert "--publish 127.0.0.1:8080:8080" in text or way == "local"
    else:
        compile(text, "boto3", "exec")


def test_without_a_model_the_next_step_is_named(tmp_path: Path) -> None:
    """Given a console without jobs -> what belongs here, and a link to Train."""
    page = client_of(make_console(tmp_path)).get("/deployments").get_data(as_text=True)
    assert "No model yet" in page
    assert 'href="./train"' in page
