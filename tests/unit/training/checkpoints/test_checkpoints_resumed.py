"""A job that dies at a checkpoint and goes on from it does what an unbroken one does, bit for bit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.environments import unmeasured
from tests.unit.training import resuming

pytestmark = pytest.mark.every
ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `resuming` compared."""
    command = [sys.executable, "-m", "tests.unit.training.resuming", str(tmp_path_factory.mktemp("resuming"))]
    environment = unmeasured(PYTHONPATH=f"{ROOT / 'container'}:{ROOT}")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", resuming.CASES)
def test_resumed_run_equals_an_uninterrupted_run(found: Any, case: str) -> None:
    """Killed after an odd step, once or twice, and resumed -> the same remaining batches, arrays and metrics."""
    compared = found[case]
    assert compared["batches"] >= 10
    assert compared["other batches"] == 0
    # Ten variables of the network now, as many of its best epoch, the answers, and at least a slot a trained variable.
    assert compared["arrays"] >= 10 + 10 + 2 + 8
    assert compared["other arrays"] == []
    assert compared["same state"]
    assert compared["same history"]


def test_a_checkpoint_without_slots_is_detected(found: Any) -> None:
    """The optimizer's slots lost in between -> the same batches, and different weights at the end."""
    compared = found[resuming.INCOMPLETE]
    assert compared["other batches"] == 0
    assert any(name.startswith("now/") for name in compared["other arrays"])
    assert not compared["same history"]
