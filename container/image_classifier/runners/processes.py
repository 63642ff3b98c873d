"""Detached processes: started in a session of their own, and found again by pid and start time, as /proc has them.

A process is never signalled by its pid alone: a record whose process has exited matches no other process, also when the
pid has been reused. Linux only.
"""

import json
import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from image_classifier import durable_files

_PROC = Path("/proc")
_GONE = ("Z", "X")
"""States of a process that has exited: it waits for its parent to take notice."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TOKEN = "IMAGE_CLASSIFIER_SESSION"
"""The environment variable with a session's token."""


@dataclass(frozen=True)
class ProcessRecord:
    """A process for as long as it runs, and nothing afterwards."""

    pid: int
    start_ticks: int
    """Clock ticks since boot, field 22 of /proc/PID/stat (proc_pid_stat(5))."""
    boot_id: str
    """Of the kernel: after a restart of the machine ticks begin again."""
    token: str = ""
    """What its environment and that of its children has, so that they are recognised without it; empty: nothing."""


@dataclass(frozen=True)
class _Stat:
    state: str
    parent: int
    session: int
    start_ticks: int


def record(pid: int) -> ProcessRecord:
    """Return the record of a running process.

    Raises:
        ProcessLookupError: It has exited.
    """
    found = _stat(pid)
    if found is None:
        raise ProcessLookupError(f"no process {pid}")
    return ProcessRecord(pid, found.start_ticks, _boot_id(), _token(pid))


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    folder: Path | None = None,
    kept_open: Sequence[int] = (),
) -> ProcessRecord:
    """Start a process in a session of its own that outlives this one, also if this one is killed.

    Args:
        command: The command line.
        environment: All its environment variables.
        log: The file to which its output is appended; not through this process.
        folder: Its working folder.
        kept_open: Descriptors that it inherits, such as one that holds a lock.

    Raises:
        OSError: The command or the log cannot be opened.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**environment, _TOKEN: uuid.uuid4().hex},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=kept_open,
        )
    # It cannot be reaped before `wait`, so that its pid is not reused meanwhile.
    found = record(process.pid)
    threading.Thread(target=process.wait, name=f"reaper-{process.pid}", daemon=True).start()
    return found


def write(path: Path, found: ProcessRecord) -> None:
    """Write a record atomically as JSON.

    Raises:
        OSError: The disk is full or not writable.
    """
    durable_files.write_json(path, asdict(found))


def read(path: Path) -> ProcessRecord | None:
    """Return the record in a JSON file, whose other values are ignored; None without a whole one."""
    try:
        found = json.loads(path.read_bytes())
        ticks, boot_id, token = int(found["start_ticks"]), str(found["boot_id"]), str(found["token"])
        return ProcessRecord(int(found["pid"]), ticks, boot_id, token)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def is_running(found: ProcessRecord) -> bool:
    """Return whether the process itself still runs; one that has exited and was not reaped does not."""
    stat = _stat(found.pid)
    return stat is not None and stat.state not in _GONE and _is_same(found, stat)


def session(found: ProcessRecord) -> list[ProcessRecord]:
    """Return the running processes of the session that `found` has started: itself, children and grandchildren.

    They are also found when `found` itself has exited, since its pid is not reused while they run. Afterwards it may
    be, for another session whose leader exits too: then the token in their environment tells them apart.
    """
    leader = _stat(found.pid)
    if found.boot_id != _boot_id() or (leader is not None and not _is_same(found, leader)):
        return []
    return [
        ProcessRecord(pid, stat.start_ticks, found.boot_id, found.token)
        for pid, stat in _all_stats()
        if stat.session == found.pid and stat.state not in _GONE and (leader or _has_token(pid, found.token))
    ]


def outermost(members: Sequence[ProcessRecord]) -> list[ProcessRecord]:
    """Return those processes whose parent is not among them."""
    pids = {member.pid for member in members}
    return [member for member in members if (stat := _stat(member.pid)) and stat.parent not in pids]


def send(found: ProcessRecord, number: signal.Signals) -> bool:
    """Send a signal to the process and to no other one; return whether it was running.

    Raises:
        PermissionError: It belongs to another user.
    """
    try:
        # The descriptor keeps pointing at this process, so that its pid can be compared without a race.
        descriptor = os.pidfd_open(found.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_running(found):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def kill_session(found: ProcessRecord, spared: Sequence[ProcessRecord] = ()) -> int:
    """Kill every process of a session but those spared, also new ones; return how many were running.

    Raises:
        PermissionError: One belongs to another user.
    """
    done = set(spared)
    while new := [member for member in session(found) if member not in done]:
        for member in new:
            send(member, signal.SIGKILL)
        done |= set(new)
    return len(done) - len(set(spared))


def memory_bytes(members: Sequence[ProcessRecord]) -> int:
    """Return the resident memory of some processes; pages that several share count once for each."""
    return sum(_resident(member.pid) for member in members)


def started_at(found: ProcessRecord) -> float:
    """Return the Unix time at which the process started; meaningful until the machine restarts."""
    for line in (_PROC / "stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return int(line.split()[1]) + found.start_ticks / os.sysconf("SC_CLK_TCK")
    raise OSError("/proc/stat has no btime")


def _resident(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _is_same(found: ProcessRecord, stat: _Stat) -> bool:
    return stat.start_ticks == found.start_ticks and found.boot_id == _boot_id()


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The program name, in parentheses, may itself contain spaces and parentheses.
    fields = text.rpartition(")")[2].split()
    return _Stat(fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def _all_stats() -> Iterator[tuple[int, _Stat]]:
    for entry in os.scandir(_PROC):
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            yield int(entry.name), stat


def _token(pid: int) -> str:
    variables = _environment(pid)
    return next((line.partition(b"=")[2].decode() for line in variables if line.startswith(f"{_TOKEN}=".encode())), "")


def _has_token(pid: int, token: str) -> bool:
    return token != "" and f"{_TOKEN}={token}".encode() in _environment(pid)


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def _boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
