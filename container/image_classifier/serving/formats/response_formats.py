"""Content negotiation: the response format from the request's Accept header."""

import re
from dataclasses import dataclass

from image_classifier.contract.payload_types import JSON, JSON_LINES
from image_classifier.contract.serving_variables import EXPLAIN
from image_classifier.serving.formats import media_types
from image_classifier.serving.formats.media_types import MediaType
from image_classifier.serving.rejection import RejectedError


@dataclass(frozen=True)
class ResponseFormat:
    """Which fields a response has, and whether it is JSON or lines of JSON."""

    verbose: bool = False
    count: int | None = None
    """Maximum number of classes, the most probable first; None: no limit."""
    threshold: float | None = None
    """Minimum probability of a class, the most probable first; None: any. With neither limit all are in index order."""
    embedding: bool = False
    """Whether to include the pooled features."""
    familiarity: bool = False
    """Whether to include the share of validation images that were less ordinary (parameter `ood`)."""
    explanation: bool = False
    """Whether to include which parts of the image the prediction rests on (parameter `explain`)."""
    lines: bool = False
    """Whether each image gets a line of its own."""

    @property
    def is_plain(self) -> bool:
        """Whether a response has nothing but probabilities."""
        return not (self.verbose or self.embedding or self.familiarity or self.explanation)

    @property
    def media_type(self) -> str:
        """The Content-Type of the response."""
        return JSON_LINES if self.lines else JSON


PLAIN = ResponseFormat()

OFFERS = (
    JSON,
    f"{JSON};verbose",
    f"{JSON};verbose;n_predictions=<k>",
    f"{JSON};verbose;threshold=<t>",
    f"{JSON};embedding",
    f"{JSON};ood",
    f"{JSON};explain",
    JSON_LINES,
)
_PARAMETERS = frozenset({"verbose", "n_predictions", "threshold", "embedding", "ood", "explain", "q", "charset"})
_COUNTS = ("top_k", "topk", "k")
"""What other servers call n_predictions."""
_COUNT = re.compile(r"0{0,9}[1-9]\d{0,99}", re.ASCII)
_PROBABILITY = re.compile(r"0?\.\d{1,99}|0(\.\d{0,99})?|1(\.0{0,99})?", re.ASCII)
"""Valid values of n_predictions and threshold."""


def negotiate(accept: str | None, default: ResponseFormat = PLAIN) -> ResponseFormat:
    """Choose the response format by an Accept header; `default` if it is missing, empty or `*/*`.

    Raises:
        RejectedError: None of the accepted formats is offered, or a parameter is misspelt (406).
    """
    if accept is None or not accept.strip():
        return default
    for media_type in media_types.parse_preferences(accept):
        if media_type.name in ("*/*", "application/*", "*"):
            return default
        if media_type.name in (JSON, JSON_LINES):
            return _parse(media_type, accept)
    raise _not_offered(accept)


def _parse(media_type: MediaType, accept: str) -> ResponseFormat:
    for parameter in media_type.parameters:
        if parameter not in _PARAMETERS:
            _reject_misspelt(parameter)
    verbose = media_type.has("verbose")

    def number(parameter: str, allowed: re.Pattern[str]) -> float | None:
        value = media_type.parameters.get(parameter)
        if value is not None and not (verbose and allowed.fullmatch(value)):
            raise _not_offered(accept)
        return None if value is None else float(value)

    count, threshold = number("n_predictions", _COUNT), number("threshold", _PROBABILITY)
    return ResponseFormat(
        verbose=verbose,
        count=None if count is None else int(count),
        threshold=threshold,
        embedding=media_type.has("embedding"),
        familiarity=media_type.has("ood"),
        explanation=media_type.has("explain"),
        lines=media_type.name == JSON_LINES,
    )


def _reject_misspelt(parameter: str) -> None:
    """Reject a parameter that is nearly one of ours: ignored, it would give an answer that was not asked for.

    Any other one is ignored (RFC 9110, 8.3.1): charset, odata and the like.
    """
    # For a mistake alone, not at the start of every server.
    import difflib

    near = difflib.get_close_matches(parameter, _PARAMETERS, n=1, cutoff=0.75)
    meant = "n_predictions" if parameter in _COUNTS else near[0] if near else None
    if meant:
        message = f"Accept has the parameter {parameter[:40]!r}, which is unknown. Did you mean {meant}?"
        raise RejectedError(406, "not_acceptable", message)


def _not_offered(accept: str) -> RejectedError:
    message = (
        f"Accept {accept[:200]!r} is not offered. Offered: {', '.join(OFFERS)}; k is an integer of at least 1, t a "
        f"number from 0 to 1, and both require verbose; explain requires {EXPLAIN.name}=true. Parameters can be "
        f"combined, also with {JSON_LINES}."
    )
    return RejectedError(406, "not_acceptable", message)
