"""scripts/launch monitor, over HTTP: the schedule, its alarm, a run at once, and the end of it."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from image_classifier.cli.launch import __main__ as launch
from image_classifier.cloud.sagemaker import calls, registering, tags, waiting
from image_classifier.cloud.sagemaker.session import Session
from tests.support.aws import ACCOUNT
from tests.support.sagemaker_service import BUCKET, REGION, ROLE, SageMakerService, sagemaker_on_this_machine

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/image-classifier:latest-cpu"
SCHEDULER = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
STORAGE = f"s3://{BUCKET}/image-classifier"
CAPTURED = f"{STORAGE}/captured/flowers"
REGULARLY = ["monitor", "flowers", "--scheduler-role", SCHEDULER]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine with an endpoint that keeps requests."""
    monkeypatch.setattr(waiting, "PAUSE", 0.0)
    with sagemaker_on_this_machine(monkeypatch) as found:
        deploy("flowers")
        yield found


def deploy(name: str, image: str = IMAGE, mode: str = "SingleModel", modes: tuple[str, ...] = ("Input",)) -> None:
    """Make an endpoint with its configuration and model; without modes it keeps no requests."""
    sagemaker, marks = boto3.client("sagemaker"), tags.tags("spring", {})
    container: Any = {"Image": image, "ModelDataUrl": f"s3://{BUCKET}/{name}/model.tar.gz", "Mode": mode}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container, Tags=marks)
    variant: Any = {"VariantName": "all", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.c5.large"}
    capture: Any = {
        "EnableCapture": bool(modes),
        "InitialSamplingPercentage": 10,
        "DestinationS3Uri": CAPTURED,
        "CaptureOptions": [{"CaptureMode": mode} for mode in modes or ("Input",)],
    }
    sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[variant], DataCaptureConfig=capture, Tags=marks
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=marks)


def scheduled() -> dict[str, Any]:
    """Return the schedule of the endpoint."""
    found: dict[str, Any] = dict(boto3.client("scheduler").get_schedule(GroupName="flowers", Name="drift"))
    return found


def test_schedule_starts_valid_jobs_with_names_of_their_own(
    service: SageMakerService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an endpoint -> a daily schedule whose input is a valid CreateProcessingJob once Scheduler has filled it."""
    assert launch.main(REGULARLY) == 0
    found = scheduled()
    assert found["ScheduleExpression"] == "rate(24 hours)"
    assert found["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:sagemaker:createProcessingJob"
    assert found["Target"]["RoleArn"] == SCHEDULER
    text = found["Target"]["Input"]
    run = json.loads(
        # The keywords and the form of their values: EventBridge Scheduler user guide.
        text.replace("<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3").replace(
            "<aws.scheduler.scheduled-time>", "2026-11-30T06:00:00Z"
        )
    )
    calls.validate([calls.Call("sagemaker", "CreateProcessingJob", run, "")])
    assert "<aws." not in json.dumps(run)
    assert run["ProcessingJobName"] == "drift-flowers-d32c5kddcf5bb8c3"
    assert run["Environment"]["end_time"] == "2026-11-30T06:00:00Z"
    assert run["Environment"]["MONITOR_WINDOW_HOURS"] == "24"
    assert [each["S3Input"]["S3Uri"] for each in run["ProcessingInputs"]] == [
        f"{CAPTURED}/flowers/all/",
        f"s3://{BUCKET}/flowers/model.tar.gz",
    ]
    assert (run["RoleArn"], run["AppSpecification"]["ImageUri"]) == (ROLE, IMAGE)
    assert "sends no message" in capsys.readouterr().out


def test_alarm_watches_the_metric_and_writes_an_email(service: SageMakerService) -> None:
    """Given an address -> an alarm on the endpoint's metric with a topic of its own, to which it is subscribed."""
    assert launch.main([*REGULARLY, "--every", "12h", "--alarm-email", "me@example.com"]) == 0
    (alarm,) = boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("ImageClassifier/Drift", "drifted_features")
    assert alarm["Dimensions"] == [{"Name": "Endpoint", "Value": "flowers"}]
    assert (alarm["Period"], alarm["TreatMissingData"]) == (43_200, "missing")
    (topic,) = boto3.client("sns").list_topics()["Topics"]
    assert alarm["AlarmActions"] == alarm["InsufficientDataActions"] == [topic["TopicArn"]]
    (subscription,) = boto3.client("sns").list_subscriptions()["Subscriptions"]
    assert (subscription["TopicArn"], subscription["Endpoint"]) == (topic["TopicArn"], "me@example.com")


def test_second_call_changes_the_schedule(service: SageMakerService, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a schedule -> the same command with a cron expression changes it, and the alarm keeps its state."""
    assert launch.main(REGULARLY) == 0
    assert launch.main([*REGULARLY, "--every", "cron(0 6 ? * MON *)", "--window-hours", "168"]) == 0
    assert "Changed the drift schedule of flowers" in capsys.readouterr().out
    assert scheduled()["ScheduleExpression"] == "cron(0 6 ? * MON *)"
    (alarm,) = boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert (alarm["Period"], alarm["TreatMissingData"]) == (604_800, "ignore")
    assert alarm["InsufficientDataActions"] == []


def test_schedule_follows_the_model_of_its_endpoint(
    service: SageMakerService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a schedule -> a deployment of another model changes its baseline alone; one without capture says so."""
    assert launch.main([*REGULARLY, "--every", "12h"]) == 0
    before, model = scheduled(), f"s3://{BUCKET}/new/model.tar.gz"
    words = ["deploy", model, "--name", "flowers", "--image", IMAGE, "--role", ROLE, "--location", STORAGE]
    assert launch.main([*words, "--capture-percent", "10"]) == 0
    assert "Its drift schedule compares with the new model from now on." in capsys.readouterr().out
    job = json.loads(scheduled()["Target"]["Input"])
    assert job["ProcessingInputs"][1]["S3Input"].pop("S3Uri") == model
    earlier = json.loads(before["Target"]["Input"])
    del earlier["ProcessingInputs"][1]["S3Input"]["S3Uri"]
    assert job == earlier
    assert scheduled()["ScheduleExpression"] == before["ScheduleExpression"] == "rate(12 hours)"
    # moto keeps an update's configuration by its name, which has the time in seconds.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("image_classifier.cloud.sagemaker.names._STAMP", "-deaf")
        assert launch.main(words) == 0
    assert "it still compares with the earlier model. The endpoint flowers keeps no requests" in capsys.readouterr().out


def test_endpoint_of_a_registered_version_is_monitored(service: SageMakerService) -> None:
    """Given a model that was made from a model package -> requests are compared with the artefact of the package."""
    sagemaker, group = boto3.client("sagemaker"), "flowers"
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    artefact = f"s3://{BUCKET}/registered/model.tar.gz"
    package = sagemaker.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification=registering.inference(IMAGE, artefact)
    )["ModelPackageArn"]
    sagemaker.delete_model(ModelName="flowers")
    sagemaker.create_model(ModelName="flowers", ExecutionRoleArn=ROLE, PrimaryContainer={"ModelPackageName": package})
    assert launch.main(REGULARLY) == 0
    job = json.loads(scheduled()["Target"]["Input"])
    assert job["ProcessingInputs"][1]["S3Input"]["S3Uri"] == artefact
    assert job["AppSpecification"]["ImageUri"] == IMAGE


def test_an_alarm_of_the_stack_stays_the_only_one(
    service: SageMakerService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an alarm on the same metric that another program made -> ours goes, and notifications are left to it."""
    assert launch.main(REGULARLY) == 0
    (ours,) = boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]
    kept = ("Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods", "Threshold")
    theirs: Any = {name: ours[name] for name in (*kept, "ComparisonOperator")}
    boto3.client("cloudwatch").put_metric_alarm(AlarmName="stack-DriftAlarm-1", **theirs)
    assert launch.main([*REGULARLY, "--alarm-email", "me@example.com"]) == 1
    assert "The alarm stack-DriftAlarm-1 watches the drift of flowers already" in capsys.readouterr().err
    for _ in range(2):
        assert launch.main(REGULARLY) == 0
    assert "The alarm stack-DriftAlarm-1 watches it already" in capsys.readouterr().out
    (left,) = boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert left["AlarmName"] == "stack-DriftAlarm-1"


def test_schedule_is_listed_and_deleted_with_all_that_belongs_to_it(
    service: SageMakerService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a schedule, its alarm and a topic -> status shows them, delete takes them along, and --stop them alone."""
    assert launch.main(["monitor", "flowers", "--stop"]) == 0
    assert "Nothing monitors the endpoint flowers." in capsys.readouterr().out
    assert launch.main([*REGULARLY, "--alarm-email", "me@example.com"]) == 0
    capsys.readouterr()
    assert launch.main(["status", "--experiment", "spring"]) == 0
    shown = capsys.readouterr().out
    for words in ("drift schedule", "drift alarm", "alarm topic"):
        assert words in shown
    assert launch.main(["monitor", "flowers", "--stop", "--dry-run"]) == 0
    planned = [each["operation"] for each in json.loads(capsys.readouterr().out)]
    assert planned == ["DeleteScheduleGroup", "DeleteAlarms", "DeleteTopic"]
    assert launch.main(["delete", "flowers", "--dry-run"]) == 0
    assert set(planned) < {each["operation"] for each in json.loads(capsys.readouterr().out)}
    assert launch.main(["monitor", "flowers", "--stop"]) == 0
    assert len(boto3.client("scheduler").list_schedule_groups()["ScheduleGroups"]) == 1  # default
    assert boto3.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert boto3.client("sns").list_topics()["Topics"] == []
    assert boto3.client("sagemaker").list_endpoints()["Endpoints"]


@pytest.mark.parametrize(
    ("drifted", "code"),
    [(True, 2), pytest.param(False, 0, marks=pytest.mark.every), pytest.param(None, 0, marks=pytest.mark.every)],
)
def test_run_at_once_prints_the_verdict(
    service: SageMakerService, capsys: pytest.CaptureFixture[str], drifted: bool | None, code: int
) -> None:
    """Given a report of a job -> its verdict and address, and the exit code of scripts/drift."""
    report = {"verdict": "Production differs in brightness.", "drifted": drifted}

    def write(request: dict[str, Any]) -> None:
        output = request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
        key = f"{output.removeprefix(f's3://{BUCKET}/')}/drift.json"
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(report).encode())

    send = Session.send
    with pytest.MonkeyPatch.context() as patched:

        def send_and_write(session: Session, call: calls.Call) -> dict[str, Any]:
            if call.operation == "CreateProcessingJob":
                write(dict(call.parameters))
            return send(session, call)

        patched.setattr(Session, "send", send_and_write)
        assert launch.main(["monitor", "flowers", "--now"]) == code
    shown = capsys.readouterr().out
    assert "Production differs in brightness." in shown
    assert f"s3://{BUCKET}/image-classifier/drift/flowers/drift-flowers-" in shown
    assert boto3.client("scheduler").list_schedules()["Schedules"] == []


def test_failed_run_shows_why(
    service: SageMakerService, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a job that failed -> its exit message, which names the owner, and that it wrote no log."""
    from moto.sagemaker.models import FakeProcessingJob

    described = {
        "ProcessingJobStatus": "Failed",
        "ExitMessage": "UserError: The model has no drift baseline.",
        "CreationTime": 0,
    }
    monkeypatch.setattr(FakeProcessingJob, "response_object", property(lambda job: described))
    assert launch.main(["monitor", "flowers", "--now"]) == 1
    shown = capsys.readouterr().err
    assert "The model has no drift baseline" in shown
    assert "It wrote no log." in shown


def test_dry_run_prints_every_request_and_changes_nothing(
    service: SageMakerService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given --dry-run -> the requests in order; only descriptions are asked for."""
    assert launch.main([*REGULARLY, "--alarm-email", "me@example.com", "--dry-run"]) == 0
    planned = [each["operation"] for each in json.loads(capsys.readouterr().out)]
    assert planned == ["CreateTopic", "Subscribe", "PutMetricAlarm", "CreateScheduleGroup", "CreateSchedule"]
    assert boto3.client("scheduler").list_schedules()["Schedules"] == []
    assert boto3.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_endpoint_that_cannot_be_monitored_is_explained(
    service: SageMakerService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given no capture, many models, the serve image, or no endpoint -> one sentence each, with the remedy."""
    deploy("deaf", modes=())
    deploy("half", modes=("Output",))
    deploy("many", mode="MultiModel")
    deploy("slim", image=IMAGE.replace("-cpu", "-serve"))
    for words, sentence in (
        (["deaf"], "--name deaf --capture-percent 10"),
        (["half"], "keeps no requests"),
        (["many"], "serves many models"),
        (["slim"], "give --image"),
        (["gone"], "The endpoint gone does not exist in the region eu-west-1"),
        (["flowers", "--now", "--stop"], "not both"),
        (["flowers"], "scheduler_role is missing"),
        (["flowers", "--every", "90m"], "whole hours from 1h to 7d"),
        (["flowers", "--every", "cron(0 6)"], "six fields"),
        (["flowers", "--alarm-email", "me", "--sns", "x"], "an e-mail address"),
    ):
        assert launch.main(["monitor", *words]) == 1
        assert sentence in capsys.readouterr().err


def test_group_of_another_program_is_left_alone(service: SageMakerService, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a schedule group of the endpoint's name that something else made -> an error, and no schedule in it."""
    boto3.client("scheduler").create_schedule_group(Name="flowers")
    assert launch.main(REGULARLY) == 1
    assert "this program did not make" in capsys.readouterr().err
    assert boto3.client("scheduler").list_schedules()["Schedules"] == []
