"""Download one file so that nothing has to be asked of the network twice: checked, bounded, resumed, tried again."""

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from image_classifier import own_files
from image_classifier.contract.errors import PlatformError, UserError

ATTEMPTS = 4
"""In a row without a new byte; every new byte starts the count again."""
FIRST_PAUSE_SECONDS = 0.5
"""Before the second attempt; doubled before each further one."""
MAX_BYTES = 8 * 1024**3
"""Of one file. The largest model of the catalogue is under 4 GB."""
_BLOCK = 1 << 20


class TransientError(Exception):
    """What may go well when it is tried again."""


class ChangedError(Exception):
    """The part that was read before is of no use: the server has another file by now, or cannot send a part."""


@dataclass(frozen=True)
class Answer:
    """A file's bytes from `start` on: `stream.read(n)` raises TransientError; `close` ends it."""

    stream: Any
    start: int
    total: int | None
    """Bytes of the whole file; None when the server does not say."""
    version: str | None
    """What the server calls this very content, such as an ETag; None: a part of it cannot be resumed."""
    md5: str | None = None
    """In base64, where the server says it."""


class Source(Protocol):
    """Where a file comes from."""

    @property
    def address(self) -> str:
        """The name for messages, without secrets."""

    @property
    def identity(self) -> str:
        """What tells it from other sources; may hold secrets, and is neither shown nor written."""

    def open(self, start: int, version: str | None) -> Answer:
        """Read from byte `start` of the file that had this version.

        Raises:
            ExplainedError: The server rejects, and will reject again.
            TransientError: It may answer when asked again.
            ChangedError: The part that there is cannot be continued.
        """


@dataclass(frozen=True)
class _Part:
    """What is known of a half-read file."""

    identity: str
    """A digest of the source's."""
    version: str | None
    total: int | None
    md5: str | None


def fetch(source: Source, into: Path, sha256: str | None = None, max_bytes: int = MAX_BYTES) -> str:
    """Download to `into` and return its sha256. What an earlier attempt or run has left is continued.

    Until the file is whole and checked it is called `<into>.partial`.

    Raises:
        ExplainedError: The server rejects the request, does not answer, or sends another file or too large a one.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    partial = into.with_name(f"{into.name}.partial")
    with _alone(into):
        for path in (partial, _note(partial)):
            own_files.remove_link(path)
        said = _complete(source, partial, max_bytes)
        found = _check(source.address, partial, said, sha256)
        partial.replace(into)
        _note(partial).unlink(missing_ok=True)
    return found


@contextlib.contextmanager
def _alone(into: Path) -> Iterator[None]:
    """Let one process at a time write a file."""
    lock = into.with_name(f"{into.name}.lock")
    while True:
        # Appending: a file of somebody else's under this name, also behind a link, loses nothing.
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Whoever had it has removed it, and a third may have made another one.
            if lock.exists() and lock.stat().st_ino == os.fstat(file.fileno()).st_ino:
                try:
                    yield
                finally:
                    lock.unlink(missing_ok=True)
                return


def _complete(source: Source, partial: Path, max_bytes: int) -> _Part:
    failures, most = 0, 0
    while True:
        before = _read_note(partial, source)
        start = partial.stat().st_size if before and partial.is_file() else 0
        try:
            with contextlib.closing(_Opened(source.open(start, before.version if before else None))) as opened:
                return _append(source, opened.answer, partial, max_bytes)
        except ChangedError:
            _note(partial).unlink(missing_ok=True)
            reason = "the file has changed"
        except TransientError as error:
            reason = str(error)
        size = partial.stat().st_size if partial.is_file() else 0
        failures, most = (0, size) if size > most else (failures + 1, most)
        if failures >= ATTEMPTS:
            raise PlatformError(
                f"{source.address} cannot be fetched: {reason} ({ATTEMPTS} attempts in a row; {size / 1e6:.1f} MB "
                "are kept). Look at the network and start again: it goes on where it ended."
            )
        pause = FIRST_PAUSE_SECONDS * 2 ** max(failures - 1, 0)
        print(f"{source.address}: {reason} after {size / 1e6:.1f} MB; trying again in {pause:g} s.", flush=True)
        time.sleep(pause)


@dataclass(frozen=True)
class _Opened:
    answer: Answer

    def close(self) -> None:
        self.answer.stream.close()


def _append(source: Source, answer: Answer, partial: Path, max_bytes: int) -> _Part:
    part = _Part(_digest(source), answer.version, answer.total, answer.md5)
    _note(partial).write_text(json.dumps(asdict(part)))
    with partial.open("ab") as file:
        file.truncate(answer.start)
        size = answer.start
        while True:
            if max(size, answer.total or 0) > max_bytes:
                _discard(partial)
                raise UserError(f"{source.address} is larger than {max_bytes:,} bytes, so it is not what was meant.")
            if not (block := answer.stream.read(_BLOCK)):
                break
            size += file.write(block)
    if answer.total is not None and size < answer.total:
        raise TransientError(f"the connection was cut {answer.total - size:,} bytes too early")
    return part


def _check(address: str, partial: Path, said: _Part, sha256: str | None) -> str:
    """Return the file's sha256; a file that is not the one meant is not kept."""
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        md5 = base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode() if said.md5 else None
    if sha256 and found != sha256.lower():
        wrong = f"sha256 {found}; expected {sha256.lower()}"
    elif md5 != said.md5:
        wrong = f"MD5 {md5}; the server itself says {said.md5}"
    else:
        return found
    _discard(partial)
    raise PlatformError(f"{address} sent a file with {wrong}. It is not used: fetch it again, or look at who answers.")


def _discard(partial: Path) -> None:
    partial.unlink()
    _note(partial).unlink(missing_ok=True)


def _note(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _digest(source: Source) -> str:
    return hashlib.sha256(source.identity.encode(errors="surrogateescape")).hexdigest()


def _read_note(partial: Path, source: Source) -> _Part | None:
    """Return what is known of the half-read file when it can be continued."""
    try:
        part = _Part(**json.loads(_note(partial).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return part if part.identity == _digest(source) and part.version else None
