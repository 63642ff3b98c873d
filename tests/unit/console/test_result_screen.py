"""The Result screen by its forms and links, without a browser."""

import functools
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

from image_classifier.console.context import Console
from image_classifier.console.datasets import known, labels
from image_classifier.console.forms.data_choice import VIEWS
from image_classifier.console.screens import result_frame
from image_classifier.contract import report_files
from image_classifier.evaluation import archive, mistakes, scores
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.report import page
from image_classifier.runners import local
from tests.support import evaluations
from tests.support.consoles import client_of, make_console
from tests.unit.console.judging import judged_jobs

Complete = Callable[[int], Evaluation]
LARGEST = 150_000
"""Bytes of a page without its images."""


@pytest.fixture(scope="module")
def images_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the images of the evaluations are that tests only read."""
    return tmp_path_factory.mktemp("evaluated")


@pytest.fixture
def console(tmp_path: Path, images_folder: Path) -> Console:
    """A console with the local runner, which starts nothing here."""
    return make_console(tmp_path, [images_folder], {"local": local})


@pytest.fixture
def client(console: Console) -> FlaskClient:
    """A browser of it."""
    return client_of(console)


def write(folder: Path, images: Path, classes: int) -> Evaluation:
    """Write what a job with every section leaves, and the images that it is about; return the evaluation."""
    found = evaluations.complete(images, classes, 200)
    data = folder / "output" / "data"
    data.mkdir(parents=True)
    archive.write(data / report_files.EVIDENCE, found, page.draw(found))
    (data / "metrics.json").write_text(json.dumps({"val_accuracy": 0.8, "verdict": "Good enough to assist."}))
    return found


@pytest.fixture(scope="module")
def evaluated(
    images_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], tuple[Evaluation, Path]]:
    """Return a function from a number of classes to an evaluation and what its job left; each is made once."""

    @functools.cache
    def of(classes: int) -> tuple[Evaluation, Path]:
        job = tmp_path_factory.mktemp("job") / "left"
        return write(job, images_folder / str(classes), classes), job

    return of


@pytest.fixture
def complete(console: Console, evaluated: Callable[[int], tuple[Evaluation, Path]]) -> Complete:
    """Return a function from a number of classes to an evaluation with every section, which the console's job has."""

    def leave(classes: int) -> Evaluation:
        found, left = evaluated(classes)
        shutil.copytree(left, console.jobs / f"job-{classes}")
        return found

    return leave


@pytest.mark.parametrize("classes", [2, pytest.param(10, marks=pytest.mark.every), 200])
def test_every_tab_opens_within_its_weight(classes: int, client: FlaskClient, complete: Complete) -> None:
    """Given few and many classes -> all tabs answer, are light, and hold no inline script or style."""
    complete(classes)
    for tab in result_frame.TABS:
        answer = client.get(f"/jobs/job-{classes}/result/{tab}")
        assert answer.status_code == 200, tab
        assert len(answer.data) <= LARGEST, tab
        assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:", answer.text) == [], tab
    assert "Good enough to assist." in client.get("/results").text


def test_cells_of_the_matrix_lead_to_their_images(client: FlaskClient, complete: Complete) -> None:
    """Given the mistakes -> each cell with images is a link, whose page shows as many images."""
    found = complete(3)
    text = client.get("/jobs/job-3/result/mistakes").text
    cells = re.findall(r'<a href="\./(mistakes/images\?label=(\d)&amp;answer=(\d))"', text)
    assert len(cells) == (found.mistakes.matrix > 0).sum()
    for address, label, answer in cells:
        shown = client.get(f"/jobs/job-3/result/{address.replace('&amp;', '&')}").text
        assert shown.count("<figure>") == min(found.mistakes.matrix[int(label), int(answer)], 48)


def test_whole_matrix_of_many_classes_is_in_parts(client: FlaskClient, complete: Complete) -> None:
    """Given 200 classes -> a link to the matrix, whose five parts hold every image once."""
    found = complete(200)
    assert 'href="./mistakes/matrix"' in client.get("/jobs/job-200/result/mistakes").text
    total = 0
    for number in range(1, 6):
        answer = client.get(f"/jobs/job-200/result/mistakes/matrix?page={number}")
        assert len(answer.data) <= LARGEST
        total += sum(map(int, re.findall(r'aria-label="(\d+) answered', answer.text)))
    assert total == len(found.evidence.judged)


def test_images_are_those_of_the_job(client: FlaskClient, complete: Complete) -> None:
    """Given an image of a split -> WebP, small and large; an unknown row or split is not found."""
    complete(2)
    answer = client.get("/jobs/job-2/result/images/validation/3")
    assert (answer.status_code, answer.mimetype) == (200, "image/webp")
    assert client.get("/jobs/job-2/result/images/validation/3?size=large").status_code == 200
    for wrong in ("validation/9999", "test/0", "training/-1"):
        assert client.get(f"/jobs/job-2/result/images/{wrong}").status_code == 404


def test_image_outside_the_allowed_folders_is_not_shown(
    console: Console, client: FlaskClient, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Given an image that is a link to a file elsewhere -> not found."""
    found = write(console.jobs / "job-2", tmp_path / "data", 2)
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    found.evidence.judged.path(3).rename(outside)
    found.evidence.judged.path(3).symlink_to(outside)
    assert client.get("/jobs/job-2/result/images/validation/3").status_code == 404


def test_files_are_those_that_a_job_writes(
    console: Console, client: FlaskClient, complete: Complete, tmp_path: Path
) -> None:
    """Given the job's folder -> listed files are sent as downloads; any other path and links are not found."""
    complete(2)
    job = console.jobs / "job-2"
    (tmp_path / "secret").write_text("secret")
    (job / "job.log").symlink_to(tmp_path / "secret")
    (job / "mine.txt").write_text("mine")
    answer = client.get("/jobs/job-2/result/files/output/data/evidence.npz")
    assert answer.headers["Content-Disposition"] == "attachment; filename=job-2-evidence.npz"
    answer.close()
    for path in ("job.log", "mine.txt", "output/data/../../mine.txt", "../job-2/mine.txt", "/etc/passwd", ""):
        assert client.get(f"/jobs/job-2/result/files/{path}").status_code in (308, 404), path


def form_of(text: str) -> dict[str, str]:
    """Return the hidden fields of the labels' form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\d+)">', text))


def test_labels_are_decided_in_the_overlay_and_measured(console: Console, client: FlaskClient, tmp_path: Path) -> None:
    """Given labels to check -> moved, dropped, kept, undone; the score of the corrected head; a new job on them."""
    judged_jobs.job_on_files(console, tmp_path / "photos", "one")
    page_of = "/jobs/one/result/labels"
    assert "not a data set of this console yet" in client.get(page_of).text
    assert client.post(f"{page_of}/remember").status_code == 303
    (data_set,) = known.every(console.home)
    for decision in ("move", "drop", "keep", "move"):
        text = client.get(page_of).text
        answer = client.post(f"{page_of}/decide", data={**form_of(text), "decision": decision})
        assert answer.status_code == 303, answer.text
    text = client.get(page_of).text
    assert "Label 5 of 12" in text
    assert "4 decided" in text
    assert client.post(f"{page_of}/undo", data=form_of(text)).status_code == 303
    overlay = labels.read(console.home, data_set.key)
    assert list(overlay.labels.values()) == ["circle", None, "square"]

    assert "data-prepare=" in text
    assert client.post(f"{page_of}/prepare").status_code == 204
    assert client.post(f"{page_of}/measure").status_code == 303
    text = client.get(page_of).text
    assert "1 training label changed, 1 training image dropped" in text
    assert "No label of a held-out image was changed" in text
    assert "Train this again" in text
    assert client.post("/jobs/one/result/again").status_code == 303
    queued = console.queue.find("one-2")
    assert queued is not None
    training = Path(queued.experiment.training)
    assert training.is_relative_to(console.home / VIEWS / data_set.key)
    assert sum(1 for path in training.rglob("*.png")) == 399
    assert all(path.is_file() for path in (tmp_path / "photos").rglob("*.png"))


def test_labels_of_another_revision_are_not_overwritten(console: Console, client: FlaskClient, tmp_path: Path) -> None:
    """Given a decision in another tab -> this one is rejected with a sentence, and nothing is lost."""
    judged_jobs.job_on_files(console, tmp_path / "photos", "one", images=100)
    page_of = "/jobs/one/result/labels"
    client.post(f"{page_of}/remember")
    stale = form_of(client.get(page_of).text)
    client.post(f"{page_of}/decide", data={**stale, "decision": "drop"})
    answer = client.post(f"{page_of}/decide", data={**stale, "decision": "keep"})
    assert answer.status_code == 409
    assert "changed in another tab" in answer.text
    (data_set,) = known.every(console.home)
    assert list(labels.read(console.home, data_set.key).labels.values()) == [None]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((), "has not started yet"),
        (("job.log",), "has not written its report yet"),
        (("output/data/metrics.json",), "has a model but no report"),
        (("output/data/metrics.json", "output/data/report.html"), "run by an earlier version"),
        (("output/failure", "job.log"), "The job failed"),
    ],
)
def test_job_without_a_result_says_why(
    files: tuple[str, ...], expected: str, console: Console, client: FlaskClient
) -> None:
    """Given what a job left -> a page with the reason and the next step."""
    job = console.jobs / "one"
    job.mkdir()
    for name in files:
        (job / name).parent.mkdir(parents=True, exist_ok=True)
        (job / name).write_text("{}")
    answer = client.get("/jobs/one/result/overview")
    assert answer.status_code == 200
    assert expected in answer.text


def test_unknown_job_or_tab_is_not_found(client: FlaskClient, complete: Complete) -> None:
    """Given names that do not exist -> 404."""
    complete(2)
    for address in ("/jobs/unknown/result/overview", "/jobs/job-2/result/nothing", "/jobs/../result/overview"):
        assert client.get(address).status_code == 404


def test_results_are_compared_on_the_same_images(console: Console, client: FlaskClient, tmp_path: Path) -> None:
    """Given two results -> test and images where they differ; on other images a sentence."""
    first = judged_jobs.evaluation(tmp_path / "photos", wrong=120)
    judged_jobs.write(console.jobs, "first", first)
    judged_jobs.write(console.jobs, "second", judged_jobs.evaluation(tmp_path / "photos", wrong=0))
    judged_jobs.write(console.jobs, "other", judged_jobs.evaluation(tmp_path / "photos", images=300))
    text = client.get("/jobs/second/result/compare?with=first").text
    assert "second</bdi> is better." in text
    assert "McNemar" in text
    assert "before: " in text
    assert "judged on different images" in client.get("/jobs/second/result/compare?with=other").text


def test_threshold_works_as_a_form(client: FlaskClient, complete: Complete) -> None:
    """Given costs and a threshold in the address -> the figures are computed without a script."""
    complete(3)
    text = client.get("/jobs/job-3/result/calibration?threshold=0&error=8&check=1").text
    assert '<dd class="big" id="coverage">100.0 %</dd>' in text
    assert 'name="error" min="0" max="1000000000" step="any" value="8"' in text


def test_no_mistake_and_long_names_are_shown(console: Console, client: FlaskClient, tmp_path: Path) -> None:
    """Given names of 60 characters and no mistake -> the tab says so, and names are there in full."""
    names = ("a" * 60, "b" * 60)
    found = evaluations.evaluation(tmp_path / "data", 2, 60, skill=1.0, names=names)
    perfect = np.eye(2, dtype=np.float32)[found.evidence.judged.labels]
    judged = replace(found.evidence.judged, probabilities=perfect)
    found = replace(
        found,
        evidence=replace(found.evidence, judged=judged),
        score=scores.measure(judged, names),
        mistakes=mistakes.find(judged, 2),
    )
    judged_jobs.write(console.jobs, "perfect", found)
    text = client.get("/jobs/perfect/result/mistakes").text
    assert "No mistake on 60 images" in text
    assert names[0] in text
    assert "not on this machine" in text
    assert "Left out" in client.get("/jobs/perfect/result/labels").text
