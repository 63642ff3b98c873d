import json
import subprocess
from pathlib import Path

import pytest

from tests.image.conftest import PROJECT

FEW = ("--images", "8", "--model-id", "mobilenetv2-160", "--batch-sizes", "1", "2", "--seconds", "0.1")


def run_check(image: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/test-gpu."""
    return subprocess.run(
        [PROJECT / "scripts" / "test-gpu", image, *words], capture_output=True, text=True, check=False
    )


@pytest.mark.every
def test_every_step_runs_without_a_gpu_too(image: str, tmp_path: Path) -> None:
    """Given a dry run on the CPU -> exit code 0, both jobs and every measurement done, no claim about a GPU."""
    done = run_check(image, "--device", "cpu", *FEW, "--output", str(tmp_path / "found.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert (found["passed"], found["dry_run"]) == (True, True)
    assert {"training, head only", "training, whole network", "answers, float16"} <= set(found["figures"])
    assert found["figures"]["answers, float32"]["images_per_second"]["2"] > 0
    assert found["figures"]["answers, float32"]["peak_memory"] is None
    assert "DRY RUN ON CPU, no figure is a GPU's" in done.stdout
    assert "no GPU was tested" in done.stdout


def test_machine_without_a_gpu_is_reported_at_once(image: str) -> None:
    """Given this machine, which has no GPU, or whose Docker has none to give -> exit code 2 and `no GPU`."""
    done = run_check(image)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].startswith("no GPU: ")
    assert done.stdout == ""
