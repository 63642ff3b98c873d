"""Measurements end when no page needs them: with the console, for another form, and when a job starts."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from image_classifier import PROGRAM
from image_classifier.console.estimating import estimates, scratch
from image_classifier.console.estimating.estimates import Estimates, EstimateState, Images
from image_classifier.console.estimating.request import Sizes
from image_classifier.contract import hyperparameters
from image_classifier.runners import processes
from image_classifier.runners.processes import ProcessRecord
from tests.support.waiting import wait_until

_PROBE = """
import sys
from pathlib import Path
from image_classifier.console.estimating import probe_process, watched_job
from image_classifier.contract.opt_ml import OptMl

watched_job.PROGRAM = Path(__file__).parent
probe_process.measure = lambda request, folder: watched_job.run(OptMl(watched_job.PROGRAM))
sys.exit(probe_process.main(sys.argv[1:]))
"""
"""The process of a measurement, whose job is the following."""
_JOB = """
import os, time
from pathlib import Path

partial = Path(__file__).with_name(f"{os.getpid()}.partial")
partial.touch()
partial.rename(partial.with_suffix(".job"))
time.sleep(120)
"""
_CONSOLE = """
import sys, time
from pathlib import Path
from image_classifier.console.estimating import estimates
from tests.unit.console.estimating import test_estimates

estimates._PROBE = "pretended_probe"
test_estimates.measure(Path(sys.argv[1]), "one")
time.sleep(120)
"""
IMAGES = {"dark": ["dark/0.png"], "light": ["light/0.png"]}
VALUES = hyperparameters.parse({}, {}).values


def measure(folder: Path, content: str) -> None:
    """Start a measurement of a data set."""
    Estimates(folder / "estimates").measure(images_of(content), "a model", VALUES)


def images_of(content: str) -> Images:
    """Return a data set by the digest of its content."""
    return Images(content, IMAGES, Sizes(20, 0, 0, 2, 10))


def state(folder: Path, content: str) -> EstimateState:
    """Return the state of a data set's estimate."""
    return Estimates(folder / "estimates").state(images_of(content), "a model", VALUES)


def scratch_folders(folder: Path) -> list[Path]:
    """Return the folders that measurements have recorded."""
    return [Path(path.read_text()) for path in (folder / "estimates").glob(f"*{scratch.SUFFIX}")]


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[ProcessRecord]]:
    """Let jobs of measurements only wait; return what lists those that run."""
    (tmp_path / "pretended_probe.py").write_text(_PROBE)
    (tmp_path / "train").write_text(_JOB)
    monkeypatch.setattr(estimates, "_PROBE", "pretended_probe")
    root = Path(__file__).parents[4]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path, PROGRAM, root))))
    known: dict[int, ProcessRecord] = {}

    def running() -> list[ProcessRecord]:
        for path in tmp_path.glob("*.job"):
            if (pid := int(path.stem)) not in known:
                try:
                    known[pid] = processes.record(pid)
                except ProcessLookupError:
                    path.unlink()
        return [one for one in known.values() if processes.is_running(one)]

    return running


def test_another_form_and_a_job_end_a_measurement(tmp_path: Path, jobs: Callable[[], list[ProcessRecord]]) -> None:
    """A measurement, then one of other images -> the first is as if never started; a job starts -> so is the second."""
    measure(tmp_path, "one")
    wait_until(lambda: bool(jobs()), 30, "the first measurement to run")
    first = jobs()
    measure(tmp_path, "two")
    wait_until(lambda: jobs() not in ([], first), 30, "the second measurement to run alone")
    assert len(jobs()) == 1
    assert state(tmp_path, "one") == EstimateState()
    assert state(tmp_path, "two").running
    Estimates(tmp_path / "estimates").cancel()
    assert jobs() == []
    assert state(tmp_path, "two") == EstimateState()


@pytest.mark.parametrize("killed", [("console",), ("probe",), ("probe", "console")])
def test_a_measurement_does_not_outlive_its_console(
    tmp_path: Path, jobs: Callable[[], list[ProcessRecord]], killed: tuple[str, ...]
) -> None:
    """Given SIGKILL for console, process that measures, or both -> its job ends; the next console finds no folder."""
    console = subprocess.Popen([sys.executable, "-c", _CONSOLE, str(tmp_path)])
    try:
        wait_until(lambda: bool(jobs()), 30, "the measurement to run")
        probe = next(processes.read(path) for path in tmp_path.glob("estimates/*.task/process.json"))
        assert probe is not None
        (folder,) = scratch_folders(tmp_path)
        assert folder.is_dir()
        if "probe" in killed:
            processes.send(probe, signal.SIGKILL)
        if "console" in killed:
            console.kill()
            console.wait()
        wait_until(lambda: not jobs() and not processes.is_running(probe), 30, "the measurement to end")
        assert folder.exists() is ("probe" in killed)
        Estimates(tmp_path / "estimates").take_over()
        assert not folder.exists()
        assert scratch_folders(tmp_path) == []
    finally:
        console.kill()
        console.wait()


def test_what_no_measurement_made_stays(tmp_path: Path) -> None:
    """Given records that name another folder, a link and nothing -> the next console removes none of it."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "estimate-link").symlink_to(tmp_path / "photos")
    measured = tmp_path / "estimates"
    measured.mkdir()
    for name in ("photos", "estimate-link", "estimate-gone"):
        (measured / f"{name}{scratch.SUFFIX}").write_text(str(tmp_path / name))
    Estimates(measured).take_over()
    assert (tmp_path / "photos").is_dir()
    assert (tmp_path / "estimate-link").is_symlink()
    assert not (measured / f"estimate-gone{scratch.SUFFIX}").exists()
