"""Everything with the program's tags is found and deleted again: moto's server over HTTP."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from image_classifier.cloud.sagemaker import deletion, inventory, session, tags, waiting
from image_classifier.cloud.sagemaker.training import create_training_job
from tests.support.sagemaker_service import IMAGE, ROLE, Fault, SageMakerService, sagemaker_on_this_machine
from tests.unit.cloud.test_training_request import job


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine."""
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    with sagemaker_on_this_machine(monkeypatch) as found:
        yield found


def deploy(name: str, marks: list[dict[str, str]]) -> None:
    """Make an endpoint with its configuration and model."""
    sagemaker = boto3.client("sagemaker")
    container = {"Image": IMAGE, "ModelDataUrl": "s3://b/model.tar.gz"}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container, Tags=marks)
    variant: Any = {"VariantName": "all", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.c5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=marks)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=marks)


def test_what_is_tagged_is_found_and_nothing_else(service: SageMakerService) -> None:
    """Given resources of two experiments and of another program -> those of the program, or of one experiment."""
    found = session.open_session()
    deploy("mine", tags.tags("flowers", {}))
    deploy("theirs", [{"Key": "created-by", "Value": "another"}])
    found.send(create_training_job(job()))
    assert [(each.kind.words, each.name) for each in inventory.find(found)] == [
        ("endpoint", "mine"),
        ("endpoint configuration", "mine"),
        ("model", "mine"),
        ("training job", "flowers-20261130-120000"),
    ]
    assert [each.experiment for each in inventory.find(found)] == ["flowers"] * 4
    assert inventory.find(found, "cats") == []


def test_deletion_is_in_order_and_leaves_nothing_tagged(service: SageMakerService) -> None:
    """Given an endpoint and a running job -> what uses another resource goes first, and nothing is left."""
    found = session.open_session()
    deploy("mine", tags.tags("flowers", {}))
    deploy("theirs", [{"Key": "created-by", "Value": "another"}])
    found.send(create_training_job(job()))
    service.set_job("flowers-20261130-120000", "InProgress", "Training")
    steps = deletion.plan(inventory.find(found), with_records=True)
    assert [step.words for step in steps] == [
        "delete endpoint mine",
        "delete endpoint configuration mine",
        "delete model mine",
        "stop training job flowers-20261130-120000",
        "delete training job flowers-20261130-120000",
    ]
    deletion.run(found, steps, lambda words: None)
    assert inventory.find(found) == []
    assert [each["EndpointName"] for each in boto3.client("sagemaker").list_endpoints()["Endpoints"]] == ["theirs"]


def test_finished_jobs_stay_as_records(service: SageMakerService) -> None:
    """Given a finished job -> it is in no step, unless records are deleted too."""
    found = session.open_session()
    found.send(create_training_job(job()))
    assert deletion.plan(inventory.find(found), with_records=False) == []
    assert len(deletion.plan(inventory.find(found), with_records=True)) == 1


def test_what_has_gone_meanwhile_counts_as_deleted(service: SageMakerService) -> None:
    """Given a deletion that is repeated with the steps of the first -> no error."""
    found = session.open_session()
    deploy("mine", tags.tags("flowers", {}))
    steps = deletion.plan(inventory.find(found), with_records=False)
    deletion.run(found, steps, lambda words: None)
    deletion.run(found, steps, lambda words: None)
    assert inventory.find(found) == []


def test_resource_that_the_tagging_service_still_lists_is_left_out(service: SageMakerService) -> None:
    """Given a listed resource that has been deleted -> it is not found."""
    found = session.open_session()
    deploy("mine", tags.tags("flowers", {}))
    service.faults["DescribeEndpoint"] = [Fault("ValidationException", 'Could not find endpoint "arn:mine".')]
    assert [each.kind.words for each in inventory.find(found)] == ["endpoint configuration", "model"]
