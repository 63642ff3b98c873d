"""One line of a job's log: text, or metrics for the platform to collect."""

from image_classifier.contract import metrics
from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.names import printable


def log(message: str) -> None:
    """Print one line of the job's log, flushed, with secrets removed from addresses.

    No metric definition reads a number in it, whatever the names of classes and files are, see `metrics.unreadable`.
    """
    log_metrics(metrics.unreadable(message))


def log_metrics(line: str) -> None:
    """Print one line of `contract.metrics`, as `log` does, for metric definitions to read."""
    print(without_secrets(printable(line)), flush=True)
