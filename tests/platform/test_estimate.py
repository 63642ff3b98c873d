"""The estimate of the Train screen, with the process that measures it: a small job on the user's own images."""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image

from image_classifier.console.context import Console
from image_classifier.console.datasets import known
from image_classifier.console.estimating import probe_process
from image_classifier.console.estimating.estimates import measurement
from image_classifier.console.estimating.request import Request
from image_classifier.console.estimating.watched_job import ENDED, LOADED, TRAINED, VERIFIED
from tests.support.consoles import client_of, make_console
from tests.support.waiting import wait_until


@pytest.fixture
def console(tmp_path: Path) -> Console:
    """Return a console that knows a data set of two classes."""
    found = make_console(tmp_path)
    write_images(tmp_path / "photos")
    known.add(found.home, "photos", {"training": tmp_path / "photos"})
    return found


def write_images(folder: Path, content: bytes | None = None) -> Path:
    """Write two classes of ten images each, or of files with this content."""
    for number, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True)
        for index in range(10):
            path = folder / name / f"{index}.png"
            Image.new("RGB", (40, 40), (200 * number + index, index, 9)).save(path)
            if content is not None:
                path.write_bytes(content)
    return folder


def form_of(console: Console, backbone: Path) -> dict[str, str]:
    """Return the fields of a form with the data set and a model outside the catalogue."""
    return {"data": known.every(console.home)[0].key, "model": str(backbone), "recipe": "auto"}


def estimate_on(client: FlaskClient, form: dict[str, str]) -> str:
    """Return the part of the page with the estimate."""
    text = client.get("/train", query_string=form).text
    return text[text.index('id="estimate"') : text.index('id="code"')]


@pytest.mark.every
def test_an_estimate_is_measured_once_and_shown(console: Console, tiny_backbone: Path) -> None:
    """Given a data set and a model -> a button, then how long it measures, then time and memory."""
    client, form = client_of(console), form_of(console, tiny_backbone)
    assert "data-measure" in estimate_on(client, form)
    assert client.post("/train/estimate", data=form).status_code == 303
    assert "Measuring with 32 of your images" in estimate_on(client, form)
    wait_until(lambda: "data-live" not in estimate_on(client, form), 120, "the measurement to end")
    shown = estimate_on(client, form)
    assert "Export, checks and report" in shown
    assert "Memory" in shown
    assert "GB free" in shown
    assert "Export, checks and report" in estimate_on(client, {**form, "random_seed": "7"})
    assert "data-measure" in estimate_on(client, {**form, "image_resize_interpolation": "area"})


@pytest.mark.every
def test_a_measurement_that_fails_says_why(console: Console, tmp_path: Path, tiny_backbone: Path) -> None:
    """Given images that cannot be read -> the job's own sentence instead of an estimate, and a button to repeat it."""
    folder = write_images(tmp_path / "broken", b"nothing")
    data_set = known.add(console.home, "broken", {"training": folder})
    client, form = client_of(console), {**form_of(console, tiny_backbone), "data": data_set.key}
    client.post("/train/estimate", data=form)
    wait_until(lambda: "data-live" not in estimate_on(client, form), 120, "the measurement to end")
    shown = estimate_on(client, form)
    assert "could not be read" in shown
    assert "Measure again" in shown


@pytest.mark.every
def test_the_process_notes_every_phase_in_order(tmp_path: Path, tiny_backbone: Path) -> None:
    """Given a request -> its result has the phases in their order, the memory of all processes, and CPU time."""
    folder = write_images(tmp_path / "photos")
    images = tuple((path.parent.name, str(path)) for path in sorted(folder.glob("*/*")))
    settings = {"recipe": "auto", "train_only_top_layer": "True"}
    request = Request(images, "digest", str(tiny_backbone), settings, 48)
    (tmp_path / "request.json").write_text(json.dumps(request.to_json()))
    assert probe_process.main([str(tmp_path / "request.json"), str(tmp_path / "result.json")]) == 0
    found = measurement(json.loads((tmp_path / "result.json").read_bytes()))
    times = [found.watched.marks[name] for name in (LOADED, TRAINED, VERIFIED, ENDED)]
    assert times == sorted(times)
    assert found.watched.peak_bytes > 10**8
    assert found.watched.cpu
    used = [found.watched.cpu.marks[name] for name in (LOADED, TRAINED, VERIFIED, ENDED)]
    assert used == sorted(used)
    assert used[0] > 0.5
    assert found.watched.features > 0
    assert (found.rows, found.classes) == (48, 2)
