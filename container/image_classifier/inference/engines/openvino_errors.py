"""What OpenVINO says in its errors; needs no OpenVINO."""

from image_classifier.contract.errors import first_line

_SOURCE_REFERENCES = (
    "Exception from ",
    "Check '",
    "Converting input model",
    "FrontEnd API failed",
    "Model wasn't fully converted",
    "Summary:",
)


def reason(error: BaseException) -> str:
    """Return the message of an OpenVINO error without its references to OpenVINO's source files."""
    lines = [line.strip().removeprefix("-- ") for line in str(error).splitlines()]
    kept = [line for line in lines if line and not line.startswith(_SOURCE_REFERENCES)]
    return first_line(ValueError(kept[0].rstrip(".!") if kept else str(error)))
