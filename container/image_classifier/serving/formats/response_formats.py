"""What an answer shall hold, by the request's Accept header."""

import re
from dataclasses import dataclass

from image_classifier.serving.formats import media_types
from image_classifier.serving.formats.media_types import MediaType
from image_classifier.serving.rejection import RejectedError

JSON, JSON_LINES = "application/json", "application/jsonlines"


@dataclass(frozen=True)
class ResponseFormat:
    """What an answer shall hold."""

    verbose: bool = False
    count: int | None = None
    """How many of the most probable classes at most, sorted; None: no limit."""
    threshold: float | None = None
    """How probable a class must be to be named, sorted; None: any. With neither of both all are in index order."""
    embedding: bool = False
    """Whether the features that the classes were computed from are there too."""
    lines: bool = False
    """Whether each image is answered by a line."""

    @property
    def media_type(self) -> str:
        """The Content-Type of the answer."""
        return JSON_LINES if self.lines else JSON


PLAIN = ResponseFormat()

OFFERS = (
    JSON,
    f"{JSON};verbose",
    f"{JSON};verbose;n_predictions=<k>",
    f"{JSON};verbose;threshold=<t>",
    f"{JSON};embedding",
    JSON_LINES,
)
_COUNT = re.compile(r"0{0,9}[1-9]\d{0,99}", re.ASCII)
_SHARE = re.compile(r"0?\.\d{1,99}|0(\.\d{0,99})?|1(\.0{0,99})?", re.ASCII)
"""What a number of classes, and a probability, may look like."""


def negotiate(accept: str | None, default: ResponseFormat = PLAIN) -> ResponseFormat:
    """Choose the form of the answer by an Accept header; `default` when it is missing, empty or `*/*`.

    Raises:
        RejectedError: Nothing that is accepted is offered (406).
    """
    if accept is None or not accept.strip():
        return default
    for wanted in media_types.parse_preferences(accept):
        if wanted.name in ("*/*", "application/*", "*"):
            return default
        if wanted.name in (JSON, JSON_LINES):
            return _form(wanted, accept)
    raise _not_offered(accept)


def _form(wanted: MediaType, accept: str) -> ResponseFormat:
    verbose = wanted.has("verbose")

    def number(word: str, allowed: re.Pattern[str]) -> float | None:
        given = wanted.parameters.get(word)
        if given is not None and not (verbose and allowed.fullmatch(given)):
            raise _not_offered(accept)
        return None if given is None else float(given)

    count, threshold = number("n_predictions", _COUNT), number("threshold", _SHARE)
    return ResponseFormat(
        verbose=verbose,
        count=None if count is None else int(count),
        threshold=threshold,
        embedding=wanted.has("embedding"),
        lines=wanted.name == JSON_LINES,
    )


def _not_offered(accept: str) -> RejectedError:
    message = (
        f"Accept {accept[:200]!r} is not offered. Offered: {', '.join(OFFERS)}; k is a whole number from 1 on, t a "
        f"number from 0 to 1, and both need verbose. The words can be combined, and {JSON_LINES} takes them too."
    )
    return RejectedError(406, "not_acceptable", message)
