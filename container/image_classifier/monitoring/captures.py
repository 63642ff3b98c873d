"""Find and read the lines of SageMaker's data capture: one JSON object for each request, in files by the hour.

An endpoint writes `<endpoint>/<variant>/<yyyy>/<mm>/<dd>/<hh>/<name>.jsonl`. Corrupt lines are counted, never fatal.
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.contract.system_names import is_ignored
from image_classifier.monitoring import captured_json

SUFFIX = ".jsonl"
MAX_LINE_BYTES = 160 * 1024 * 1024
"""Twice base64 of the 25 MB that an endpoint accepts, and of its answer; longer lines count as corrupt."""
_HOUR = re.compile(r"/(\d{4})/(\d{2})/(\d{2})/(\d{2})/[^/]+$")


@dataclass(frozen=True)
class Window:
    """A period of time, its end excluded; None is unbounded."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, time: datetime) -> bool:
        """Return whether a time lies in it."""
        return (self.start is None or time >= self.start) and (self.end is None or time < self.end)

    def touches(self, first: datetime, last: datetime) -> bool:
        """Return whether it overlaps the period from `first` to `last`."""
        return (self.start is None or last > self.start) and (self.end is None or first < self.end)


@dataclass(frozen=True)
class Payload:
    """The body of a request or of its response."""

    content_type: str
    body: bytes


@dataclass(frozen=True)
class Captured:
    """One captured request."""

    time: datetime | None
    request: Payload | None
    """None if requests are not captured; so is the response."""
    response: Payload | None


@dataclass(frozen=True)
class Position:
    """Where a line is."""

    path: Path
    offset: int
    length: int


@dataclass
class Reading:
    """What was found; the counts grow while lines are read."""

    files: int = 0
    lines: int = 0
    corrupt: int = 0
    """Lines that are not a captured request."""
    outside: int = 0
    """Lines outside the window."""
    used: int = 0
    """Requests that were read; fewer than there are lines if a sample was drawn."""


def files(source: Path, window: Window) -> list[Path]:
    """Return the files of a folder whose hour touches the window, in order; a single file is returned as it is.

    Raises:
        UserError: The file or folder does not exist.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UserError(
            f"The file or folder {source} does not exist, so it has no captured lines. Give a {SUFFIX} file or a "
            "folder of such files."
        )
    found = [path for path in source.rglob(f"*{SUFFIX}") if path.is_file() and not is_ignored(path.name)]
    return sorted(path for path in found if _touches(path, window))


def _touches(path: Path, window: Window) -> bool:
    matched = _HOUR.search(path.as_posix())
    if matched is None:
        return True
    try:
        year, month, day, number = map(int, matched.groups())
        hour = datetime(year, month, day, number, tzinfo=UTC)
    except ValueError:
        return True
    return window.touches(hour, hour + timedelta(hours=1))


def endpoint_of(source: Path, paths: Sequence[Path]) -> str | None:
    """Return the endpoint's name, by the folders between the source and the first file; None if they do not say."""
    for path in paths:
        folders = path.relative_to(source).parts if path != source else ()
        # endpoint / variant / yyyy / mm / dd / hh / file
        return folders[-7] if len(folders) >= 7 and _HOUR.search(path.as_posix()) else None
    return None


def read(paths: Sequence[Path], window: Window, limit: int, reading: Reading, seed: int = 0) -> Iterator[Captured]:
    """Yield the captured requests in random order, the same for each `seed`; at most `limit` of them.

    Requests may have several images: the first `limit` images in the order of time would be those of the beginning.

    Raises:
        PlatformError: A file cannot be read.
    """
    reading.files = len(paths)
    try:
        positions = [position for path in paths for position in _positions(path)]
        reading.lines = len(positions)
        for index in np.random.default_rng(seed).permutation(len(positions))[:limit].tolist():
            yield from _one(positions[index], window, reading)
    except OSError as error:
        raise PlatformError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _one(position: Position, window: Window, reading: Reading) -> Iterator[Captured]:
    try:
        found = parse(_line(position))
    except ValueError:
        reading.corrupt += 1
        return
    if found.time is not None and not window.holds(found.time):
        reading.outside += 1
        return
    reading.used += 1
    yield found


def _positions(path: Path) -> Iterator[Position]:
    with path.open("rb") as file:
        offset = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            start, offset = offset, offset + len(line)
            if line.strip():
                yield Position(path, start, len(line))
            while not line.endswith(b"\n") and (line := file.readline(MAX_LINE_BYTES)):
                offset += len(line)


def _line(position: Position) -> bytes:
    if position.length > MAX_LINE_BYTES:
        raise ValueError(f"longer than {MAX_LINE_BYTES:,} bytes")
    with position.path.open("rb") as file:
        file.seek(position.offset)
        return file.read(position.length)


def parse(line: bytes) -> Captured:
    """Parse a line.

    Raises:
        ValueError: It is not a captured request.
    """
    try:
        found = captured_json.parse(line)
        captured = found["captureData"]
        request, response = (_payload(captured.get(name)) for name in ("endpointInput", "endpointOutput"))
        return Captured(_time(found.get("eventMetadata") or {}), request, response)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a captured request: {error!r}") from error


def _payload(found: Any) -> Payload | None:
    if found is None:
        return None
    data, encoding = found["data"], str(found.get("encoding", "BASE64")).upper()
    if encoding == "BASE64":
        body = base64.b64decode(data, validate=True)
    else:
        # JSON and CSV are captured as text.
        body = (data if isinstance(data, str) else json.dumps(data)).encode()
    return Payload(str(found.get("observedContentType") or ""), body)


def _time(metadata: Any) -> datetime | None:
    text = metadata.get("inferenceTime")
    return parse_time(text) if isinstance(text, str) and text else None


def parse_time(text: str) -> datetime:
    """Parse a time in ISO 8601; without an offset it is UTC.

    Raises:
        ValueError: It is not one.
    """
    # The container contract's own example has spaces after its colons.
    found = datetime.fromisoformat(text.strip().replace(": ", ":"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
