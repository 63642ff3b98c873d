"""scripts/launch pipeline, over HTTP: make, update, start, follow, delete."""

import json
from pathlib import Path
from typing import Any

import pytest

from image_classifier.cli.launch import __main__ as launch
from image_classifier.cloud.sagemaker import executions
from tests.support.sagemaker_service import BUCKET, IMAGE, ROLE, SageMakerService

FLAGS = ["--image", IMAGE, "--role", ROLE, "--location", f"s3://{BUCKET}/image-classifier"]
WORDS = ["pipeline", "--name", "flowers", "--training", "photos", "--model", "model.tar.gz", "epochs=3", *FLAGS]
REASON = "The model is not registered: the lower bound of its accuracy is below MinimumAccuracy, 0.9"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with images and a model."""
    for name in ("photos/cat/1.jpg", "photos/dog/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "model.tar.gz").write_bytes(b"model")
    monkeypatch.chdir(tmp_path)


def step(name: str, status: str, **metadata: Any) -> dict[str, Any]:
    """Return a step of an execution as the API answers it."""
    return {"StepName": name, "StepStatus": status, "Metadata": metadata}


def test_dry_run_prints_every_request_and_sends_none(
    service: SageMakerService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an experiment -> uploads, group, pipeline and start in order; and the definition alone on request."""
    assert launch.main([*WORDS, "--start", "--dry-run"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert [call["operation"] for call in planned] == [
        *("PutObject", "PutObject", "CreateModelPackageGroup", "CreatePipeline", "StartPipelineExecution"),
    ]
    sent = json.loads(planned[3]["parameters"]["PipelineDefinition"])
    assert launch.main([*WORDS, "--definition"]) == 0
    assert json.loads(capsys.readouterr().out) == sent
    assert sent["Parameters"][0]["DefaultValue"] == planned[0]["parameters"]["to"]
    assert service.requests == []


def test_pipeline_is_made_once_and_updated(service: SageMakerService, capsys: pytest.CaptureFixture[str]) -> None:
    """Given the same command twice -> one pipeline and one group with tags, and the definition of the second."""
    assert launch.main(WORDS) == 0
    assert launch.main([*WORDS, "--minimum-accuracy", "0.9"]) == 0
    shown = capsys.readouterr().out
    assert "Made the pipeline flowers-pipeline." in shown
    assert "Updated the pipeline flowers-pipeline." in shown
    made = [name for name in service.operations() if name.startswith(("Create", "Update"))]
    assert made == ["CreateModelPackageGroup", "CreatePipeline", "UpdatePipeline"]
    kept = json.loads(service.backend.pipelines["flowers-pipeline"].pipeline_definition)
    assert kept["Parameters"][2] == {"Name": "MinimumAccuracy", "Type": "Float", "DefaultValue": 0.9}
    assert len(service.tagged()) == 2


def test_execution_is_followed_to_the_registered_version(
    service: SageMakerService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an execution that succeeds -> its steps with their jobs, the version, and the next command."""
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/flowers/1"
    job = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/pipelines-1-train"
    service.backend.execution_steps = [
        step("Train", "Succeeded", TrainingJob={"Arn": job}),
        step("Register", "Succeeded", RegisterModel={"Arn": arn}),
    ]
    launch.main(WORDS)
    service.backend.create_model_package(**registered_by_moto())
    assert launch.main([*WORDS, "--start"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Train: Succeeded (pipelines-1-train)" in lines
    assert "Registered flowers:1, PendingManualApproval: s3://b/model.tar.gz" in lines
    assert lines[-1] == "  scripts/launch register flowers:1 --approve"


def registered_by_moto() -> dict[str, Any]:
    """Return what moto's backend takes for a version that a pipeline registers."""
    others = (
        *("model_package_name", "model_package_description", "validation_specification", "client_token", "tags"),
        *("source_algorithm_specification", "metadata_properties", "model_metrics", "customer_metadata_properties"),
        *("drift_check_baselines", "domain", "task", "sample_payload_url", "additional_inference_specifications"),
    )
    container = {"Image": IMAGE, "ModelDataUrl": "s3://b/model.tar.gz"}
    return {
        **dict.fromkeys(others),
        "certify_for_marketplace": False,
        "model_package_group_name": "flowers",
        "model_approval_status": "PendingManualApproval",
        "inference_specification": {
            "Containers": [container],
            "SupportedContentTypes": ["image/jpeg"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    }


@pytest.mark.parametrize(
    ("failed", "part"),
    [
        (step("Reject", "Failed", Fail={"ErrorMessage": REASON}), f"UserError: Reject: {REASON}"),
        pytest.param(
            {**step("Train", "Failed"), "FailureReason": "ClientError: no such thing."},
            "PlatformError: The step Train failed: ClientError: no such thing.",
            marks=pytest.mark.every,
        ),
        pytest.param(step("Train", "Stopped"), "is Failed.", marks=pytest.mark.every),
    ],
    ids=["condition", "job", "stopped"],
)
def test_failed_execution_is_a_failed_command(
    service: SageMakerService,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    failed: dict[str, Any],
    part: str,
) -> None:
    """Given an execution that fails -> exit code 1 and the reason of its step."""
    service.backend.execution_steps = [failed]
    described = {"PipelineExecutionStatus": "Failed"}
    monkeypatch.setattr(executions, "_described", lambda session, arn: described)
    assert launch.main([*WORDS, "--start"]) == 1
    assert part in capsys.readouterr().err


@pytest.mark.every
def test_interrupted_command_leaves_the_execution(
    service: SageMakerService, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given Ctrl-C while an execution is followed, or --detach -> the command ends, and nothing is stopped."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    assert launch.main([*WORDS, "--start", "--detach"]) == 0
    monkeypatch.setattr(executions, "_described", interrupt)
    assert launch.main([*WORDS, "--start"]) == 0
    assert capsys.readouterr().out.endswith("Detached; the execution continues.\n")
    assert "StopPipelineExecution" not in service.operations()


def test_running_executions_are_stopped_before_the_deletion(service: SageMakerService) -> None:
    """Given a running execution -> it is stopped, and then the pipeline is deleted; the group, a record, stays."""
    launch.main([*WORDS, "--start", "--detach"])
    (execution,) = service.backend.pipelines["flowers-pipeline"].pipeline_executions.values()
    execution.pipeline_execution_status = "Executing"
    for _ in range(2):
        assert launch.main(["delete", "--all", "--yes"]) == 0
    operations = service.operations()
    assert operations.index("StopPipelineExecution") < operations.index("DeletePipeline")
    assert [each["ResourceARN"].rpartition(":")[2] for each in service.tagged()] == ["model-package-group/flowers"]
