"""CloudWatch Logs of jobs and endpoints: all events after a position, and the last lines of what failed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.session import Session

_LINES_OF_A_FAILURE = 15
_EVENTS = 10_000
"""Of one answer: the API's limit."""


@dataclass(frozen=True)
class Position:
    """How far the streams of a job were read: the token that continues each stream, by its name."""

    tokens: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def read_new(session: Session, group: str, prefix: str, position: Position) -> tuple[list[str], Position]:
    """Return the lines after a position, a host's together, and the new position.

    A job has one stream per host, `prefix` is the job's name and a slash; only the first host's lines are returned,
    since all hosts report the same epochs.

    Raises:
        ExplainedError: CloudWatch rejects the request or cannot be reached.
    """
    lines: list[str] = []
    tokens = dict(position.tokens)
    for stream in _streams(session, group, prefix):
        if f"{prefix}algo-1" not in stream:
            continue
        more, tokens[stream] = _read_stream(session, group, stream, tokens.get(stream))
        lines += more
    return lines, Position(MappingProxyType(tokens))


def last_lines(session: Session, group: str, prefix: str, count: int = _LINES_OF_A_FAILURE) -> list[str]:
    """Return the last lines of the streams that begin with a prefix, or of all; empty without a log."""
    found: list[tuple[int, str]] = []
    for stream in _streams(session, group, prefix):
        parameters = {"logGroupName": group, "logStreamName": stream, "limit": count, "startFromHead": False}
        answer = session.send(Call("logs", "GetLogEvents", parameters, f"The log {stream}"))
        found += [(event["timestamp"], event["message"].rstrip("\n")) for event in answer["events"]]
    return [message for _, message in sorted(found, key=lambda event: event[0])[-count:]]


def _streams(session: Session, group: str, prefix: str) -> Iterator[str]:
    more: dict[str, str] = {}
    while True:
        parameters = {"logGroupName": group, **({"logStreamNamePrefix": prefix} if prefix else {}), **more}
        # The group does not exist before the first job of a region.
        answer = session.find(Call("logs", "DescribeLogStreams", parameters, f"The logs {group}")) or {}
        # In the order of their names, which end with the time of their start.
        yield from (stream["logStreamName"] for stream in answer.get("logStreams", []))
        if "nextToken" not in answer:
            return
        more = {"nextToken": answer["nextToken"]}


def _read_stream(session: Session, group: str, stream: str, token: str | None) -> tuple[list[str], str]:
    """Return all lines after a token, up to where it stays the same: an empty answer is not the end."""
    lines: list[str] = []
    while True:
        more = {"nextToken": token} if token else {}
        parameters = {"logGroupName": group, "logStreamName": stream, "startFromHead": True, "limit": _EVENTS, **more}
        answer = session.send(Call("logs", "GetLogEvents", parameters, f"The log {stream}"))
        lines += [line for event in answer["events"] for line in event["message"].rstrip("\n").split("\n")]
        following = str(answer["nextForwardToken"])
        if following == token:
            return lines, following
        token = following
