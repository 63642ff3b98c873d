"""One line of a job's log."""

from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.names import printable


def log(message: str) -> None:
    """Print one line of the job's log, flushed, with secrets removed from addresses."""
    print(without_secrets(printable(message)), flush=True)
