"""A process that does nothing but save checkpoints, killed while it does."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from image_classifier.training.checkpoints.store import Checkpoints

pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).parents[4]

_SAVE_FOR_EVER = """
import itertools, sys
from pathlib import Path
import numpy as np
from image_classifier.training.checkpoints.store import Checkpoints

checkpoints = Checkpoints(Path(sys.argv[1]), {})
found = checkpoints.latest()
for step in itertools.count(found.step + 1 if found else 1):
    groups = {"network": {"a": np.full(300_000, step)}, "optimizer": {"b": np.array(step)}}
    checkpoints.save(step, {"step": step}, groups)
    print(step, flush=True)
"""


def test_saved_checkpoint_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    """Kill -9 at ten seeded moments of saving -> the last checkpoint reported as saved, or the next, is intact."""
    moments, last = random.Random(6), 0
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", _SAVE_FOR_EVER, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "container")},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for _ in range(moments.randint(1, 3)):
            last = int(process.stdout.readline())
        try:
            process.wait(moments.uniform(0, 0.02))
        except subprocess.TimeoutExpired:
            process.kill()
        rest = process.communicate()[0].split()
        last = int(rest[-1]) if rest else last
        found = Checkpoints(tmp_path, {}).latest()
        assert found is not None
        assert found.step in (last, last + 1)
        assert found.state == {"step": found.step}
        assert np.all(found.groups["network"]["a"] == found.step)
