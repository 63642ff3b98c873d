import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.repository.project import ROOT

BARE_TOOLS = ("bash", "dirname", "uname", "sha256sum", "cat", "head", "env", "rm", "mv", "touch")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with scripts/setup and the locks, and a `bin` that holds the few tools it needs and no Python."""
    for name in ("scripts/setup", "docker/requirements-cpu.txt", "docker/requirements-dev.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for tool in BARE_TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return tmp_path


def put(clone: Path, name: str, script: str) -> None:
    """Put a shell script on the clone's PATH."""
    path = clone / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!{clone / 'bin' / 'bash'}\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def set_up(clone: Path) -> subprocess.CompletedProcess[str]:
    """Run the clone's scripts/setup with the clone's PATH alone."""
    environment = {"PATH": str(clone / "bin")}
    return subprocess.run([clone / "scripts" / "setup"], env=environment, capture_output=True, text=True, check=False)


def test_without_python_one_sentence_says_so(clone: Path) -> None:
    """Given a machine without Python -> exit code 1 and one line that says which versions would do."""
    done = set_up(clone)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "Python 3.11, 3.12 or 3.13" in done.stderr
    assert "there is no python3" in done.stderr


def test_shim_that_cannot_run_is_named(clone: Path) -> None:
    """Given a python3 that is a version manager's broken shim -> one line names it and says that it does not run."""
    put(clone, "python3", "exit 127")
    done = set_up(clone)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"{clone / 'bin' / 'python3'} does not run" in done.stderr


def test_another_system_than_linux_is_named(clone: Path) -> None:
    """Given a kernel other than Linux -> one line names it, and no environment is created."""
    put(clone, "uname", "echo Darwin")
    done = set_up(clone)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "this is Darwin" in done.stderr
    assert not (clone / ".venv").exists()


def test_nothing_happens_when_nothing_changed() -> None:
    """Given an environment that is up to date -> a second run prints nothing and takes under two seconds."""
    begin = time.monotonic()
    done = subprocess.run([ROOT / "scripts" / "setup"], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout + done.stderr == ""
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("what", ["folder", "environment", "file", "link"])
def test_foreign_environment_is_left_alone(clone: Path, tmp_path: Path, what: str) -> None:
    """Given a .venv that this command did not make -> exit code 1 and one line, and its content is unchanged."""
    put(clone, "python3", f'exec {shutil.which("python3")} "$@"')
    environment = clone / ".venv"
    mine = tmp_path / "mine"
    mine.mkdir()
    if what == "file":
        environment.write_text("mine")
    else:
        if what == "link":
            environment.symlink_to(mine)
        else:
            environment.mkdir()
        (environment / "notes.txt").write_text("mine")
        if what == "environment":
            (environment / "pyvenv.cfg").write_text(
                "command = python3 -m venv /image-classifier/.venv\nversion = 3.11\n"
            )
    done = set_up(clone)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert ".venv is there and this command did not make it" in done.stderr
    assert (environment if what == "file" else environment / "notes.txt").read_text() == "mine"
