"""The form of the Train screen on SageMaker: it starts, follows and stops a job, against moto's server over HTTP."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from image_classifier.console.context import Console
from image_classifier.console.datasets import known
from image_classifier.console.queueing.scheduler import Scheduler
from image_classifier.runners import sagemaker
from image_classifier.runners.experiment import SAGEMAKER
from tests.support.consoles import client_of, make_console
from tests.support.sagemaker_jobs import OPTIONS, create, followed_here, look
from tests.support.sagemaker_results import LOG, put_results
from tests.support.sagemaker_service import SageMakerService
from tests.support.waiting import wait_until


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine."""
    with followed_here(monkeypatch) as found:
        yield found


@pytest.fixture
def console(tmp_path: Path) -> Console:
    """A console with a data set, which starts jobs on SageMaker."""
    for name in ("ants", "bees"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "photos" / name / f"{number}.png")
    (tmp_path / "model.tar.gz").write_bytes(b"model")
    found = make_console(tmp_path, runners={SAGEMAKER: sagemaker})
    known.add(found.home, "insects", {"training": tmp_path / "photos"})
    return found


def test_form_starts_follows_and_stops_a_job_on_sagemaker(
    service: SageMakerService, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the form of any job with SageMaker as the place -> its page shows the job there, and stops it."""
    client, folder = client_of(console), console.jobs / "insects"

    def shown() -> str:
        Scheduler(console.queue, 1).step()
        return client.get("/jobs/insects").text

    options = {f"{SAGEMAKER}.{name}": value for name, value in OPTIONS.items()}
    form = {"data": known.every(console.home)[0].key, "model": str(tmp_path / "model.tar.gz"), "epochs": "3"}
    answer = client.post("/train", data={**form, "runner": SAGEMAKER, **options})
    assert (answer.status_code, answer.headers.get("Location")) == (303, "./jobs/insects"), answer.text
    Scheduler(console.queue, 1).step()
    wait_until(lambda: not (console.home / "queue" / "insects.toml").exists(), 30, "the job was started")
    job = create(service, folder, monkeypatch)
    assert "Waiting for an instance" in shown()
    service.set_job(job, "InProgress", "Training")
    service.log(job, LOG)
    look(folder, monkeypatch)
    page = shown()
    assert "epoch 2 of 3" in page
    assert LOG[-1] in page
    assert client.post("/jobs/insects/stop").status_code == 303
    assert service.operations()[-1] == "StopTrainingJob"
    put_results(job, stopped=True)
    service.set_job(job, "Stopped")
    look(folder, monkeypatch)
    badges = re.findall(r'<span class="badge[^"]*">([a-z]+)</span>', shown())
    assert badges[0] == "stopped"
    assert (folder / "model").is_dir()
