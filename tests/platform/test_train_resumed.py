"""A job whose machine was taken away goes on, on another one, as if nothing had happened."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.chaos import results, small_job
from tests.benchmarks.chaos.small_job import ROOT

pytestmark = [pytest.mark.no_cover, pytest.mark.every]

BATCH = 2
IMAGES = 39
"""That are trained on; the other nine are for validation."""
_NOTE_OPENED_FILES = """
import os, runpy, sys
folder, notes, program = sys.argv[1:]
file = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def note(event, arguments):
    if event == "open" and str(arguments[0]).startswith(folder):
        os.write(file, f"{str(arguments[0]).removeprefix(folder)}\\n".encode())

sys.addaudithook(note)
sys.argv = [program]
runpy.run_path(program, run_name="__main__")
"""


def start(tree: Path) -> small_job.Running:
    """Start the training program, with a note of each image that it opens, in order."""
    images = f"{tree / 'input' / 'data' / 'training'}/"
    program = ROOT / "container" / "train"
    return small_job.start(tree, "-c", _NOTE_OPENED_FILES, images, str(tree / "opened"), str(program))


def opened_batches(tree: Path, after: int = 0) -> list[set[str]]:
    """Return the images of the first epoch's batches, as a process opened them that began `after` some steps."""
    # Threads decode the images of a batch side by side, so within it the order is theirs.
    names = (tree / "opened").read_text().split()[: IMAGES - BATCH * after]
    return [set(names[first : first + BATCH]) for first in range(0, len(names), BATCH)]


@dataclass(frozen=True)
class Pair:
    """Two trees of the same job."""

    whole: Path
    """Of the undisturbed one."""
    continued: Path
    """Of the one that was killed in its first epoch and started again elsewhere."""
    step: int
    """After which it was continued."""
    log: str
    """Of the second process."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all jobs are given."""
    return small_job.make_inputs(tmp_path_factory.mktemp("inputs"))


def run_both(base: Path, inputs: Path, **given: Any) -> Pair:
    """Run a job undisturbed, and beside it one that is killed after a step and continued on another machine."""
    whole, broken = (small_job.lay_out(base / name, inputs, batch_size=BATCH, epochs=3, **given) for name in "ab")
    checkpoints = broken / "checkpoints"
    with start(whole) as undisturbed:
        start(broken).kill_when(lambda: any(checkpoints.glob("checkpoint-*-step-1")), "the first checkpoint")
        newest = results.newest_checkpoint(broken)
        if newest.step % 2 == 0:
            # As if the platform had not copied it in time; the one before is there.
            [folder] = checkpoints.glob(f"checkpoint-*-step-{newest.step}")
            shutil.rmtree(folder)
            newest = results.newest_checkpoint(broken)
        small_job.move_to_another_machine(broken)
        (broken / "opened").unlink()
        log = start(broken).finish()
        undisturbed.finish()
    return Pair(whole, broken, newest.step, log)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "augmented"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, inputs: Path) -> Pair:
    """A deterministic job in both ways."""
    return run_both(tmp_path_factory.mktemp("pair"), inputs, augmentation=request.param)


def test_job_killed_after_an_odd_step_sees_the_same_next_ten_batches(pair: Pair) -> None:
    """Killed inside the first epoch -> the new process says so and opens the images of the next ten batches."""
    assert pair.step % 2 == 1
    assert f"Resuming from a checkpoint: epoch 1, after step {pair.step} of 20" in pair.log
    expected = opened_batches(pair.whole)[pair.step :]
    assert len(expected) >= 10
    assert opened_batches(pair.continued, pair.step) == expected


def test_job_killed_after_an_odd_step_ends_with_the_same_bits(pair: Pair) -> None:
    """Killed inside the first epoch -> the same variables, optimizer slots, reports and served answers."""
    whole, continued = results.read(pair.whole), results.read(pair.continued)
    # The network's ten variables with two slots each of the eight that are trained, and its best epoch's.
    assert sum(name.startswith("checkpoint now/") for name in whole) >= 10 + 16
    assert sum(name.startswith("checkpoint best/") for name in whole) == 10
    assert results.different(whole, continued) == []


@pytest.mark.parametrize("pair", [False], indirect=True, ids=["plain"])
def test_job_killed_after_training_exports_without_training(pair: Pair, tmp_path: Path) -> None:
    """Nothing left but a finished training's checkpoints -> the same result, without a step or an epoch."""
    tree = tmp_path / "tree"
    shutil.copytree(pair.whole, tree)
    small_job.move_to_another_machine(tree)
    before = sorted(path.name for path in (tree / "checkpoints").iterdir())
    log = small_job.start(tree).finish()
    assert "val_accuracy" not in log.partition("Resuming from a checkpoint")[2].partition("\n- loss")[0]
    assert sorted(path.name for path in (tree / "checkpoints").iterdir()) == before
    assert results.different(results.read(pair.whole), results.read(tree)) == []


@pytest.mark.parametrize("pair", [False], indirect=True, ids=["plain"])
def test_checkpoints_of_another_job_are_rejected(pair: Pair, tmp_path: Path, inputs: Path) -> None:
    """The folder of a job with another optimizer and fewer epochs -> exit 1, what differs and what to do; no model."""
    tree = small_job.lay_out(tmp_path / "tree", inputs, batch_size=BATCH, epochs=2, optimizer="sgd")
    shutil.copytree(pair.whole / "checkpoints", tree / "checkpoints", dirs_exist_ok=True)
    with small_job.start(tree) as rejected:
        assert rejected.process.wait(120) == 1
    message = (tree / "output" / "failure").read_text()
    assert message.startswith("UserError: The checkpoint ")
    # More epochs, or fewer, are no other job.
    assert 'belongs to another job: optimizer was "adam" and is now "sgd". Use an empty S3' in message
    assert not any((tree / "model").glob("*"))


def test_job_that_is_not_deterministic_ends_within_a_point(tmp_path: Path, inputs: Path) -> None:
    """deterministic=False, killed and continued -> every accuracy within 0.01 of the undisturbed job's."""
    pair = run_both(tmp_path, inputs, deterministic=False)
    one, other = (json.loads((tree / "output/data/metrics.json").read_text()) for tree in (pair.whole, pair.continued))
    for name in ("accuracy", "val_accuracy"):
        assert abs(one[name] - other[name]) <= 0.01
