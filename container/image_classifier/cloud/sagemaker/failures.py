"""What failed on SageMaker, as an error with its owner, a remedy and the last lines of its log."""

from image_classifier.cloud import remedies
from image_classifier.cloud.remedies import Rejection
from image_classifier.cloud.sagemaker import logs
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.contract.errors import ExplainedError, PlatformError


def explain(session: Session, target: str, reason: str, group: str, prefix: str) -> ExplainedError:
    """Return the error of a job or an endpoint, in words such as `The endpoint flowers`, that failed for a reason.

    `group` and the `prefix` of streams say where its log is.
    """
    lines = logs.last_lines(session, group, prefix)
    log = "\n".join(["Its last log lines:", *(f"  {line}" for line in lines)]) if lines else "It wrote no log."
    known = remedies.explain(Rejection("", reason, target, session.region))
    return type(known or PlatformError())(f"{known or f'{target} failed: {reason}'}\n{log}")
