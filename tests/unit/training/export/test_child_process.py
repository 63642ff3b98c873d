"""A child process of the job: it answers, gives up, crashes, or is ended, and the job knows which."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from image_classifier.training.export import child_process
from image_classifier.training.export.child_process import Child, ChildFailed, ChildKilled, Interrupted
from image_classifier.training.stopping import StopSignal
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[4]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module that does what it is asked for; Python finds it in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("asked.py").write_text(
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from image_classifier.contract.errors import UserError\n"
        "from image_classifier.training.export import child_process\n"
        "def work(folder, asked):\n"
        "    (folder / 'began').write_text(str(os.getpid()))\n"
        "    exec(asked['do'])\n"
        "    (folder / 'answer').write_text('done')\n"
        "sys.exit(child_process.run(work, Path(sys.argv[1])))\n"
    )
    return "asked"


def begun(folder: Path) -> bool:
    """Say whether the child is at work."""
    return (folder / "began").is_file() and bool((folder / "began").read_text())


def is_alive(process: int) -> bool:
    """Say whether a process exists and is not a zombie."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


def test_answer_is_there_when_waiting_ends(module: str, tmp_path: Path) -> None:
    """A child that does its work -> wait returns and the answer lies in its folder."""
    with Child(module, tmp_path / "work", {"do": "pass"}) as child:
        child.wait(StopSignal())
    assert (tmp_path / "work" / "answer").read_text() == "done"


@pytest.mark.parametrize(
    ("do", "kind", "message"),
    [
        ("raise UserError('The IR is odd.\\nVery.')", ChildFailed, "^The IR is odd. Very$"),
        ("raise ValueError('what was unexpected')", ChildFailed, "^ValueError: what was unexpected$"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", ChildKilled, "^its process was killed by SIGSEGV$"),
        ("os.kill(os.getpid(), signal.SIGKILL)", ChildKilled, "killed by SIGKILL, probably for lack of memory$"),
    ],
    ids=["gives up", "unexpected", "crash", "killed"],
)
def test_end_without_an_answer_has_a_reason(
    module: str, tmp_path: Path, do: str, kind: type[Exception], message: str
) -> None:
    """A child that gives up, stumbles, crashes or is killed -> the error that tells which, with its reason."""
    with Child(module, tmp_path / "work", {"do": do}) as child, pytest.raises(kind, match=message):
        child.wait(StopSignal())
    assert not (tmp_path / "work" / "answer").exists()


@pytest.mark.parametrize("deaf", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN); "], ids=["polite", "deaf"])
def test_stop_interrupts_a_child_at_work(
    module: str, tmp_path: Path, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM while a child works, even one that does not listen -> Interrupted within seconds, the process is gone."""
    monkeypatch.setattr(child_process, "_GRACE_SECONDS", 0.3)
    stop = StopSignal()
    with Child(module, tmp_path / "work", {"do": f"{deaf}time.sleep(60)"}) as child:
        wait_until(lambda: begun(tmp_path / "work"), 20, "the child begins")
        threading.Timer(0.1, stop.set).start()
        started = time.monotonic()
        with pytest.raises(Interrupted, match="SIGTERM"):
            child.wait(stop)
    assert time.monotonic() - started < 10
    assert not is_alive(int((tmp_path / "work" / "began").read_text()))


def test_child_of_a_killed_job_dies_with_it(module: str, tmp_path: Path) -> None:
    """Kill -9 of the job while its child works -> the child is gone too."""
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom image_classifier.training.export.child_process import Child\n"
        "Child('asked', Path(sys.argv[1]), {'do': 'time.sleep(60)'}); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'container'}"}
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "work")]
    with subprocess.Popen(command, env=environment) as job:
        wait_until(lambda: begun(tmp_path / "work"), 20, "the child begins")
        job.send_signal(signal.SIGKILL)
        job.wait()
    child = int((tmp_path / "work" / "began").read_text())
    wait_until(lambda: not is_alive(child), 5, "the child is gone")
    assert not (tmp_path / "work" / "answer").exists()
