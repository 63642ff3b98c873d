"""A job that dies at a checkpoint and resumes from it does what an unbroken one does, bit for bit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.environments import unmeasured
from tests.support.representatives import some_of
from tests.unit.training import resuming

ROOT = Path(__file__).parents[4]


def compared_in(scratch: Path, case: str) -> Any:
    """Return what `resuming` compared in a case."""
    command = [sys.executable, "-m", "tests.unit.training.resuming", str(scratch), case]
    environment = unmeasured(PYTHONPATH=f"{ROOT / 'container'}:{ROOT}")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", some_of(resuming.CASES, {"in the first epoch"}))
def test_resumed_run_equals_an_uninterrupted_run(case: str, tmp_path: Path) -> None:
    """Killed after an odd step, once or twice, and resumed -> the same remaining batches, arrays and metrics."""
    compared = compared_in(tmp_path, case)
    assert compared["batches"] >= 10
    assert compared["other batches"] == 0
    # Ten variables of the network now, as many of its best epoch, the answers, and at least a slot a trained variable.
    assert compared["arrays"] >= 10 + 10 + 2 + 8
    assert compared["other arrays"] == []
    assert compared["same state"]
    assert compared["same history"]


@pytest.mark.every
def test_a_checkpoint_without_slots_is_detected(tmp_path: Path) -> None:
    """The optimizer's slots lost in between -> the same batches, and different weights at the end."""
    compared = compared_in(tmp_path, resuming.INCOMPLETE)
    assert compared["other batches"] == 0
    assert any(name.startswith("now/") for name in compared["other arrays"])
    assert not compared["same history"]
