from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from image_classifier.cloud import s3
from image_classifier.cloud.sagemaker import calls, options
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.training import TrainingJob, create_training_job
from image_classifier.contract import metrics
from image_classifier.contract.errors import UserError
from tests.support.golden_files import assert_golden
from tests.support.sagemaker_service import IMAGE, ROLE

GOLDEN = Path(__file__).parent / "golden"
EVERYTHING: dict[str, Any] = {
    "instance_type": "ml.g5.2xlarge",
    "instance_count": 2,
    "volume_gb": 100,
    "input_mode": "fastfile",
    "spot": False,
    "keep_alive_seconds": 600,
    "max_runtime_seconds": 3600,
    "subnets": ["subnet-0a", "subnet-0b"],
    "security_groups": ["sg-0a"],
    "kms_key": "alias/mine",
    "encrypt_traffic": True,
    "tags": {"team": "vision", "created-by": "a user"},
}


def job(hyperparameters: dict[str, str] | None = None, **given: Any) -> TrainingJob:
    """Return a job with two channels and some options."""
    return TrainingJob(
        name="flowers-20261130-120000",
        experiment="flowers",
        channels={"training": "s3://b/data/1", "model": "s3://b/files/2/model.tar.gz"},
        hyperparameters={"epochs": "5"} if hyperparameters is None else hyperparameters,
        storage=s3.parse("s3://bucket/image-classifier"),
        checkpoints="flowers-20261130-120000",
        options=options.parse({"image": IMAGE, "role": ROLE, **given}),
    )


@pytest.mark.parametrize(
    ("name", "made"),
    [("training_default", job()), ("training_everything", job({"epochs": "5", "tensorboard": "True"}, **EVERYTHING))],
    ids=["defaults", "every option"],
)
def test_request_is_the_golden_one_and_valid(name: str, made: TrainingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a job -> the request of the golden file, which botocore's service model accepts."""
    monkeypatch.setattr("image_classifier.cloud.sagemaker.tags.__version__", "1.2.3")
    call = create_training_job(made)
    calls.validate([call])
    assert_golden(GOLDEN / f"{name}.json", call.as_json())


def test_declared_metrics_are_requested() -> None:
    """Given a job -> its metric definitions are the declared ones."""
    specification = create_training_job(job()).parameters["AlgorithmSpecification"]
    assert specification["MetricDefinitions"] == metrics.definitions()


def test_time_budget_is_shorter_than_the_platforms_limit() -> None:
    """Given a limit of an hour -> the program gets max_runtime below it, unless max_runtime is given."""
    assert create_training_job(job(max_runtime_seconds=3600)).parameters["HyperParameters"]["max_runtime"] == "3000"
    given = job({"max_runtime": "100"}, max_runtime_seconds=3600)
    assert create_training_job(given).parameters["HyperParameters"] == {"max_runtime": "100"}


def test_tags_of_the_user_do_not_replace_ours() -> None:
    """Given a user's tag with the name of ours -> ours counts, and the others are there once."""
    tags = create_training_job(job(**EVERYTHING)).parameters["Tags"]
    names = [tag["Key"] for tag in tags]
    assert len(names) == len(set(names))
    assert {"Key": "created-by", "Value": "image-classifier"} in tags
    assert {"Key": "team", "Value": "vision"} in tags


def test_model_uri_needs_a_network() -> None:
    """Given model_uri and network isolation -> an error that says what to do; without isolation -> a request."""
    from_uri = {"model_uri": "s3://b/model.tar.gz"}
    with pytest.raises(UserError, match="network_isolation is on"):
        create_training_job(job(from_uri))
    assert create_training_job(job(from_uri, network_isolation=False)).parameters["EnableNetworkIsolation"] is False


def test_every_invalid_option_is_in_one_message() -> None:
    """Given unknown names, values and contradictions -> one error that lists all of them."""
    with pytest.raises(UserError) as caught:
        options.parse({"instance_typ": "x", "spot": "perhaps", "instance_count": 0, "subnets": "subnet-1"})
    text = str(caught.value)
    for part in (
        "did you mean instance_type?",
        "spot is 'perhaps'; allowed: True or False",
        "instance_count is 0",
        "give both",
    ):
        assert part in text


def test_missing_options_say_where_they_come_from() -> None:
    """Given no image and no role -> a sentence for each with its remedy; given both -> nothing."""
    image, role = options.missing(options.parse({}))
    assert "scripts/publish" in image
    assert "https://console.aws.amazon.com/iam/" in role
    assert options.missing(options.parse({"image": IMAGE, "role": ROLE})) == []
    assert "is not the ARN of a role" in options.missing(options.parse({"image": IMAGE, "role": "sagemaker"}))[0]


def test_values_that_the_service_model_rejects_are_listed() -> None:
    """Given a mistyped instance type and an invalid name -> both are named before anything is sent."""
    wrong = replace(job(instance_type="ml.m5.xlage"), name="a name")
    with pytest.raises(UserError, match="2 values would be rejected") as caught:
        calls.validate([create_training_job(wrong)])
    assert "ml.m5.xlarge" in str(caught.value)
    assert "TrainingJobName: 'a name' does not have the form" in str(caught.value)


def test_wrong_types_and_names_are_listed() -> None:
    """Given a parameter of another type and an unknown one -> botocore's own report."""
    call = Call("sagemaker", "StopTrainingJob", {"TrainingJobName": 5, "Other": 1}, "The job")
    with pytest.raises(UserError, match=r"Unknown parameter in input(.|\n)*Invalid type for parameter TrainingJobName"):
        calls.validate([call])


def test_upper_bounds_are_checked() -> None:
    """Given more hyperparameters than the API takes, one of them too long -> both are named."""
    many = {f"name{number}": "x" for number in range(101)} | {"long": "x" * 3000}
    parameters = {**create_training_job(job()).parameters, "HyperParameters": many}
    with pytest.raises(UserError, match=r"102 entries(.|\n)*3,000 characters"):
        calls.validate([Call("sagemaker", "CreateTrainingJob", parameters, "The job")])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("instance-type", "Unknown option instance-type; did you mean instance_type?"),
        ("Spot", "Unknown option Spot; did you mean spot?"),
        ("colour", "Unknown option colour. scripts/launch VERB --help lists the options; in a file they have _"),
    ],
)
def test_unknown_option_names_a_near_one_or_where_the_list_is(name: str, expected: str) -> None:
    """Given a name that resembles an option, and one that resembles none -> that option; the place of the list."""
    with pytest.raises(UserError) as caught:
        options.parse({name: "x"})
    assert expected in str(caught.value)
    assert "volume_gb" not in str(caught.value)
