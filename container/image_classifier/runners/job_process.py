"""The supervisor of a job: `python -m image_classifier.runners.job_process FOLDER STEPS [LOCK READY]`.

It begins a session in which all processes of the job run, holds the folder's lock, runs the job's steps, passes SIGTERM
on to them, and records how the job ended, whether the process that started it still exists or not. If it is killed
itself, the job continues, and the next request for the job's status records its end.

It stays as small as Python is: no TensorFlow, NumPy or Flask.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from image_classifier import own_files
from image_classifier.contract.errors import ExplainedError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners import job_record, processes
from image_classifier.runners.job_record import JobRecord

READY = b"1"
"""What the supervisor writes to the descriptor READY once the job can be found by its folder."""
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Steps:
    """Runs commands one after the other until one fails or a stop is requested."""

    def __init__(self, kept_open: Sequence[int]) -> None:
        self._kept_open = kept_open
        self._current: subprocess.Popen[bytes] | None = None
        self._stop_requested = False

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Pass a request to stop on to the current step."""
        self._stop_requested = True
        if self._current is not None:
            self._current.send_signal(signal.SIGTERM)

    def run(self, commands: Sequence[Sequence[str]]) -> int:
        """Return the exit code of the last step that was run; negative for a signal."""
        code = 0
        for command in commands:
            if self._stop_requested:
                return -signal.SIGTERM
            # In a process group of its own: Ctrl-C in a terminal reaches the supervisor alone.
            self._current = subprocess.Popen(command, process_group=0, pass_fds=self._kept_open)
            if self._stop_requested:
                # Requested after the check above and before there was a process to pass it on to.
                self._current.send_signal(signal.SIGTERM)
            code = self._current.wait()
            self._current = None
            if code != 0:
                break
        return code


def supervise(folder: Path, commands: Sequence[Sequence[str]], lock: int, ready: int | None = None) -> int:
    """Run the steps of the job in `folder`, whose lock `lock` holds, and record its end; return its exit code.

    Raises:
        OSError: The folder cannot be written to.
    """
    tree = OptMl(folder)
    record = JobRecord(processes.record(os.getpid()), time.time(), job_record.report_identity(tree))
    steps = Steps([lock])
    for number in _STOP_SIGNALS:
        signal.signal(number, steps.on_signal)
    job_record.write(folder, record)
    if job_record.stop_request(folder):
        # It came before this process could handle signals, which process 1 of a container then ignores.
        steps.on_signal(signal.SIGTERM, None)
    if ready is not None:
        # The starter may have been killed; the job runs all the same.
        with contextlib.suppress(BrokenPipeError):
            os.write(ready, READY)
        os.close(ready)
    code = steps.run(commands)
    # Children of a job that was killed.
    processes.kill_session(record.supervisor, spared=[record.supervisor])
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    return record_end(folder, record, code, time.time()).exit_code or 0


def record_end(folder: Path, record: JobRecord, code: int | None, ended: float) -> JobRecord:
    """Record the end of a job, and before that its result, and return the new record.

    `code` is the exit code, or None if it was not seen; `ended` a Unix time in seconds. A job that ended unseen, or by
    a signal such as a second request to stop while Python exits, counts as finished if its last file is there.

    Raises:
        OSError: The folder cannot be written to.
    """
    # Only now: the supervisor stays small while the job runs.
    from image_classifier.runners import conclusion

    if (code is None or code < 0) and conclusion.is_complete(OptMl(folder), record):
        code = 0
    if code == 0:
        try:
            conclusion.conclude(OptMl(folder), folder, record.report_before)
        except ExplainedError as error:
            OptMl(folder).write_failure(f"{type(error).__name__}: {error}")
            code = 1
    found = replace(record, exit_code=code, ended=ended)
    job_record.write(folder, found)
    return found


def main(arguments: Sequence[str]) -> int:
    """Run the supervisor; without LOCK and READY, as in a container, it waits for the lock itself."""
    folder, commands = Path(arguments[0]), json.loads(arguments[1])
    if len(arguments) > 2:
        return supervise(folder, commands, int(arguments[2]), int(arguments[3]))
    # Standard output is the container's; everything the job says belongs into its folder.
    with (folder / job_record.LOG).open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    with own_files.used_alone(folder, wait=True) as lock:
        return supervise(folder, commands, lock)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
