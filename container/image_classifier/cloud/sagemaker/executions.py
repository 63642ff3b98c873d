"""Executions of a pipeline: follow one to its end, and stop those that run."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from image_classifier.cloud import remedies
from image_classifier.cloud.remedies import Rejection
from image_classifier.cloud.sagemaker import waiting
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.contract.errors import PlatformError, UserError

_RUNNING = ("Executing", "Stopping")


def start(session: Session, pipeline: str) -> str:
    """Start an execution with the defaults of the pipeline's parameters, and return its ARN.

    Raises:
        ExplainedError: AWS rejects the request or cannot be reached.
    """
    return str(session.send(start_call(pipeline))["PipelineExecutionArn"])


def start_call(pipeline: str) -> Call:
    """Return the request that starts an execution."""
    return Call("sagemaker", "StartPipelineExecution", {"PipelineName": pipeline}, f"The pipeline {pipeline}")


def follow(session: Session, arn: str, announce: Callable[[str], None]) -> str:
    """Announce each change of a step until the execution is over; return the ARN of the registered version, or "".

    Raises:
        UserError: A step failed for a reason that the user can change, such as the pipeline's own condition.
        PlatformError: A step failed otherwise, or the execution was stopped.
    """
    shown: dict[str, str] = {}

    def look() -> tuple[str, list[Mapping[str, Any]]] | None:
        # The steps are read after the status, so that an execution that is over has its last states.
        status = str(_described(session, arn)["PipelineExecutionStatus"])
        steps = list(_steps(session, arn))
        for step in steps:
            name, state = str(step["StepName"]), str(step["StepStatus"])
            if shown.get(name) != state:
                announce(f"{name}: {state}{_job(step)}")
                shown[name] = state
        return None if status in _RUNNING else (status, steps)

    over = waiting.until(look)
    assert over
    status, steps = over
    if status != "Succeeded":
        raise _failed(session, arn, status, steps)
    found = [step["Metadata"].get("RegisterModel", {}).get("Arn", "") for step in steps if "Metadata" in step]
    return next((str(version) for version in found if version), "")


def _described(session: Session, arn: str) -> Mapping[str, Any]:
    return session.send(_call("DescribePipelineExecution", arn))


def _call(operation: str, arn: str) -> Call:
    return Call("sagemaker", operation, {"PipelineExecutionArn": arn}, f"The pipeline execution {arn}")


def _steps(session: Session, arn: str) -> Iterator[Mapping[str, Any]]:
    parameters = {"PipelineExecutionArn": arn, "SortOrder": "Ascending"}
    call = Call("sagemaker", "ListPipelineExecutionSteps", parameters, f"The steps of {arn}")
    return session.pages(call, "PipelineExecutionSteps")


def _job(step: Mapping[str, Any]) -> str:
    """Return the name of a step's job, whose log CloudWatch has."""
    for kind in ("TrainingJob", "ProcessingJob"):
        if arn := step.get("Metadata", {}).get(kind, {}).get("Arn"):
            return f" ({str(arn).rpartition('/')[2]})"
    return ""


def _failed(session: Session, arn: str, status: str, steps: list[Mapping[str, Any]]) -> Exception:
    failed = next((step for step in steps if step["StepStatus"] == "Failed"), None)
    if failed is None:
        return PlatformError(f"The pipeline execution {arn} is {status}.")
    reason = str(failed.get("FailureReason", "AWS gives no reason")).rstrip(".")
    message = failed.get("Metadata", {}).get("Fail", {}).get("ErrorMessage")
    if message is not None:
        return UserError(f"{failed['StepName']}: {message}")
    known = remedies.explain(Rejection("", reason, f"The step {failed['StepName']}", session.region))
    return known or PlatformError(f"The step {failed['StepName']} failed: {reason}. Its job's log says why.")


def stop_all(session: Session, pipeline: str) -> None:
    """Stop the running executions of a pipeline and wait for their end; a pipeline that was deleted has none.

    Raises:
        ExplainedError: AWS rejects a request, or an execution does not end in time.
    """
    # The newest come first; 100 are more than run at the same time.
    parameters = {"PipelineName": pipeline, "MaxResults": 100}
    call = Call("sagemaker", "ListPipelineExecutions", parameters, f"The executions of {pipeline}")
    answer = session.find(call) or {}
    for execution in answer.get("PipelineExecutionSummaries", []):
        if execution["PipelineExecutionStatus"] in _RUNNING:
            arn = str(execution["PipelineExecutionArn"])
            session.find(_call("StopPipelineExecution", arn))
            waiting.until_ended(partial(_is_over, session, arn), f"The pipeline execution {arn}")


def _is_over(session: Session, arn: str) -> bool | None:
    return None if _described(session, arn)["PipelineExecutionStatus"] in _RUNNING else True
