"""Training jobs for which AWS has no capacity or quota at first: moto's server over HTTP, with scripted faults."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier.runners import experiment, job_record, job_tree, sagemaker
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import State
from image_classifier.runners.sagemaker_job import process, record
from image_classifier.runners.sagemaker_job.record import Record
from tests.support.sagemaker_jobs import OPTIONS, created, flowers, followed_here, look
from tests.support.sagemaker_service import Fault, SageMakerService

QUOTA = "The account-level service limit '{} for training job usage' is 0 Instances, with current utilization of 0."
CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine, where no attempt waits long."""
    monkeypatch.setattr("image_classifier.cloud.sagemaker.session._FIRST_PAUSE", 0.01)
    with followed_here(monkeypatch) as found:
        yield found


def asked(folder: Path, **options: str) -> Experiment:
    """Return an experiment with some options."""
    return replace(flowers(folder), options={experiment.SAGEMAKER: {**OPTIONS, **options}})


def record_of(folder: Path) -> Record:
    """Return the record of a job's folder."""
    found = record.read(folder)
    assert found is not None
    return found


def types(service: SageMakerService) -> list[str]:
    """Return the instance types that were asked for, in order."""
    return [
        parameters["ResourceConfig"]["InstanceType"]
        for operation, parameters in service.requests
        if operation == "CreateTrainingJob"
    ]


def rejected(*names: str) -> list[Fault]:
    """Return a rejection for each type, in order."""
    return [Fault("ResourceLimitExceeded", QUOTA.format(name)) for name in names]


def test_next_type_is_tried_when_the_quota_of_the_first_is_used_up(service: SageMakerService, tmp_path: Path) -> None:
    """Given a quota of 0 for the first type -> a line in the log, and a job of the second under a name of its own."""
    folder = tmp_path / "run"
    sagemaker.start(asked(tmp_path, instance_type="ml.g5.xlarge,ml.m5.large"), folder)
    service.faults["CreateTrainingJob"] = rejected("ml.g5.xlarge")
    process.run(folder)
    assert types(service) == ["ml.g5.xlarge", "ml.m5.large"]
    assert sagemaker.status(folder).state == State.FINISHED
    (line,) = [line for line in (folder / job_tree.LOG).read_text().splitlines() if line.startswith("Attempt")]
    assert line.startswith("Attempt 1 with ml.g5.xlarge: The training job flowers-")
    assert line.endswith("Trying ml.m5.large now.")
    first, second = [
        parameters["TrainingJobName"] for name, parameters in service.requests if name == "CreateTrainingJob"
    ]
    assert first != second
    assert record_of(folder).job == second


def test_job_without_capacity_is_followed_by_another(
    service: SageMakerService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a job that failed for lack of capacity -> another with the next type, from the same checkpoints folder."""
    folder = tmp_path / "run"
    asked_for = asked(tmp_path, instance_type="ml.g5.xlarge,ml.m5.large")
    job = created(service, asked_for, folder, monkeypatch)
    service.set_job(job, "Failed", failure=CAPACITY)
    process.run(folder)
    assert types(service) == ["ml.g5.xlarge", "ml.m5.large"]
    assert sagemaker.status(folder).state == State.FINISHED
    paths = [parameters["CheckpointConfig"] for name, parameters in service.requests if name == "CreateTrainingJob"]
    assert paths[0] == paths[1]


def test_last_shortage_is_one_sentence_with_quota_and_link(service: SageMakerService, tmp_path: Path) -> None:
    """Given quotas of 0 and no patience -> after one attempt a type the failure with the quota's name and its page."""
    folder = tmp_path / "run"
    sagemaker.start(asked(tmp_path, instance_type="ml.g5.xlarge,ml.m5.large"), folder)
    service.faults["CreateTrainingJob"] = rejected("ml.g5.xlarge", "ml.m5.large")
    process.run(folder)
    failed = sagemaker.status(folder)
    assert failed.state == State.FAILED
    assert str(failed.failure).startswith("UserError: After 2 attempts: The training job flowers-")
    assert "quota “ml.m5.large for training job usage” (0 Instances)" in str(failed.failure)
    assert "servicequotas" in str(failed.failure)


def test_patience_goes_round_the_types_again(service: SageMakerService, tmp_path: Path) -> None:
    """Given retry_for and one type -> attempts with pauses until there is an instance."""
    folder = tmp_path / "run"
    sagemaker.start(asked(tmp_path, instance_type="ml.m5.large", retry_for="30m"), folder)
    service.faults["CreateTrainingJob"] = rejected("ml.m5.large", "ml.m5.large", "ml.m5.large")
    process.run(folder)
    assert types(service) == ["ml.m5.large"] * 4
    assert sagemaker.status(folder).state == State.FINISHED


def test_stop_request_ends_the_waiting(
    service: SageMakerService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a stop request while an attempt waits -> the job is stopped, and no further one is created."""
    folder = tmp_path / "run"
    asked_for = asked(tmp_path, instance_type="ml.m5.large", retry_for="30m")
    job = created(service, asked_for, folder, monkeypatch)
    service.set_job(job, "Failed", failure=CAPACITY)
    monkeypatch.setattr("image_classifier.cloud.sagemaker.session._FIRST_PAUSE", 600.0)
    look(folder, monkeypatch)
    waiting = sagemaker.status(folder)
    assert waiting.state == State.STARTING
    assert waiting.phase.startswith("Waiting")
    job_record.request_stop(folder, False)
    process.run(folder)
    assert sagemaker.status(folder).state == State.STOPPED
    assert len(types(service)) == 1


@pytest.mark.every
def test_other_errors_are_not_tried_again(service: SageMakerService, tmp_path: Path) -> None:
    """Given a rejection for another reason -> one attempt."""
    folder = tmp_path / "run"
    sagemaker.start(asked(tmp_path, instance_type="ml.g5.xlarge,ml.m5.large", retry_for="30m"), folder)
    service.faults["CreateTrainingJob"] = [Fault("ValidationException", "Could not assume role arn:aws:iam::1:role/x.")]
    process.run(folder)
    assert len(types(service)) == 1
    assert sagemaker.status(folder).state == State.FAILED
