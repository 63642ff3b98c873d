"""Jobs on SageMaker, from the upload to the result in the folder: moto's server over HTTP."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from image_classifier.contract.errors import UserError
from image_classifier.runners import experiment, sagemaker
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import State
from tests.support.sagemaker_jobs import created, flowers, followed_here, job_of, look
from tests.support.sagemaker_results import ACCURACY, LOG, put_results
from tests.support.sagemaker_service import BUCKET, SageMakerService, sagemaker_on_this_machine
from tests.support.waiting import wait_until


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine."""
    with followed_here(monkeypatch) as found:
        yield found


@pytest.fixture
def asked_for(tmp_path: Path) -> Experiment:
    """An experiment with a folder of images and a model on this machine."""
    return flowers(tmp_path)


def test_inputs_are_uploaded_and_the_job_is_created(
    service: SageMakerService, asked_for: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given local images and a local model -> both lie in S3, the job reads them, and the folder is a job's."""
    folder = tmp_path / "run"
    sagemaker.start(asked_for, folder)
    assert sagemaker.status(folder).state == State.STARTING
    job = created(service, replace(asked_for, name="other"), tmp_path / "other", monkeypatch)
    described = boto3.client("sagemaker").describe_training_job(TrainingJobName=job)
    channels = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in described["InputDataConfig"]
    }
    keys = [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    kept = f"image-classifier/jobs/{job}/experiment.toml"
    body = boto3.client("s3").get_object(Bucket=BUCKET, Key=kept)["Body"].read()
    assert body == (tmp_path / "other" / experiment.FILE).read_bytes()
    training = channels["training"].removeprefix(f"s3://{BUCKET}/")
    assert [key for key in keys if key.startswith(training)] == [
        f"{training}/{name}" for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg")
    ]
    assert channels["model"].removeprefix(f"s3://{BUCKET}/") in keys
    assert experiment.read(tmp_path / "other" / experiment.FILE).name == "other"


def test_job_has_phases_epochs_and_a_result(
    service: SageMakerService, asked_for: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a job that waits, trains and completes -> its status at each moment, and the result in the folder."""
    folder = tmp_path / "run"
    job = created(service, asked_for, folder, monkeypatch)
    waiting = sagemaker.status(folder)
    assert (waiting.state, waiting.phase) == (State.STARTING, "Waiting for an instance")
    service.set_job(job, "InProgress", "Training")
    service.log(job, LOG[:3])
    look(folder, monkeypatch)
    reading = sagemaker.status(folder)
    assert (reading.state, reading.done, reading.total) == (State.RUNNING, 160, 1423)
    service.log(job, LOG[3:])
    look(folder, monkeypatch)
    training = sagemaker.status(folder)
    assert [epoch.metrics["val_accuracy"] for epoch in training.epochs] == [0.7887, 0.8197]
    assert (training.done, training.total, training.unit) == (2, 3, "epochs")
    assert training.warnings == ("WARNING: a warning",)
    put_results(job)
    service.set_job(job, "Completed")
    look(folder, monkeypatch)
    finished = sagemaker.status(folder)
    assert (finished.state, finished.accuracy) == (State.FINISHED, ACCURACY)
    assert (folder / "output/data/report.html").read_text() == "<p>report</p>"
    assert (folder / "model/__model_info__.json").is_file()
    assert sagemaker.log(folder).text.splitlines() == LOG
    assert finished.extra["artefact"] == f"s3://{BUCKET}/image-classifier/jobs/{job}/output/model.tar.gz"


def test_log_is_read_once_over_pages_and_processes(
    service: SageMakerService, asked_for: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given more lines than a page and a process that was killed between log and record -> each line once, in order."""
    folder = tmp_path / "run"
    job = created(service, asked_for, folder, monkeypatch)
    service.set_job(job, "InProgress", "Training")
    monkeypatch.setattr("image_classifier.cloud.sagemaker.logs._EVENTS", 2)
    lines = [f"line {number}" for number in range(7)]
    service.log(job, lines[:5])
    look(folder, monkeypatch)
    with (folder / "job.log").open("a") as log:
        log.write("line 5, of a process that was killed\n")
    service.log(job, lines[5:])
    look(folder, monkeypatch)
    look(folder, monkeypatch)
    assert (folder / "job.log").read_text().splitlines() == lines


def test_stopped_job_resumes_from_its_checkpoints(
    service: SageMakerService, asked_for: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a job that is stopped -> stopping, then stopped with its model; resumed: another job, same checkpoints."""
    folder = tmp_path / "run"
    job = created(service, asked_for, folder, monkeypatch)
    service.set_job(job, "InProgress", "Training")
    service.log(job, LOG[:5])
    look(folder, monkeypatch)
    sagemaker.stop(folder)
    assert service.operations()[-1] == "StopTrainingJob"
    assert sagemaker.status(folder).state == State.STOPPING
    put_results(job, stopped=True)
    service.set_job(job, "Stopped")
    look(folder, monkeypatch)
    stopped = sagemaker.status(folder)
    assert (stopped.state, stopped.accuracy) == (State.STOPPED, ACCURACY)
    monkeypatch.setattr("image_classifier.cloud.sagemaker.names._STAMP", "-again-%H%M%S")
    sagemaker.resume(folder)
    with pytest.raises(UserError, match="is starting; only one that was stopped or failed can be resumed"):
        sagemaker.resume(folder)
    look(folder, monkeypatch)
    again = job_of(folder)
    assert again != job
    sagemakers = boto3.client("sagemaker")
    first, second = (sagemakers.describe_training_job(TrainingJobName=name) for name in (job, again))
    assert first["CheckpointConfig"] == second["CheckpointConfig"]
    assert sagemaker.log(folder).text.splitlines() == LOG[:5]


def test_process_of_its_own_follows_a_job_to_its_end(
    asked_for: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a start without anything patched -> a process of its own does everything up to the result."""
    folder = tmp_path / "run"
    with sagemaker_on_this_machine(monkeypatch) as service:
        sagemaker.start(asked_for, folder)
        put_results(job_of(folder))
        wait_until(lambda: sagemaker.status(folder).state.is_over, 60, "the end of the job")
        assert sagemaker.status(folder).state == State.FINISHED
        assert "CreateTrainingJob" in service.operations()
    assert json.loads((folder / "sagemaker.json").read_text())["downloaded"] is True
    assert (folder / sagemaker.PROCESS_LOG).read_text() == ""
