"""A job with recipe=auto, killed at twenty random moments of its life: the result of one that was left alone."""

import json
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from image_classifier.contract.opt_ml import OptMl
from tests.benchmarks.chaos import results, small_job
from tests.platform.training_process import link_backbone
from tests.support import stripes

pytestmark = [pytest.mark.no_cover, pytest.mark.every, pytest.mark.timeout(1800)]

KILLS = 20


def lay_out(tree: Path, images: Path, backbone: Path) -> Path:
    """Make the platform's tree of the job."""
    OptMl(tree).lay_out({"recipe": "auto", "deterministic": "True", "batch_size": "8"}, checkpoints=True)
    shutil.copytree(images, tree / "input" / "data" / "training", dirs_exist_ok=True)
    link_backbone(tree, backbone)
    return tree


def result(tree: Path) -> dict[str, Any]:
    """Return what must not depend on kills: weights, answers, reports without measured durations."""
    data = tree / "output" / "data"
    found: dict[str, Any] = {path.name: path.read_bytes() for path in data.glob("*.csv")}
    recipe = json.loads((data / "metrics.json").read_text())["recipe"]
    weights = tree / "model/1/variables/variables.data-00000-of-00001"
    chosen = {"chosen": recipe["chosen"], "rule": recipe["rule"], "race": recipe["tuning"]["race"]}
    return {**found, **chosen, "weights": weights.read_bytes(), "answers": results.answers(tree)}


def test_twenty_kills_leave_the_same_result(tmp_path: Path, tiny_backbone: Path) -> None:
    """Killed at random moments and started elsewhere, as often as it takes -> each end has the same result."""
    images = stripes.write(tmp_path / "images", 40)
    whole = lay_out(tmp_path / "whole", images, tiny_backbone)
    started = time.monotonic()
    log = small_job.start(whole).finish()
    longest, expected = time.monotonic() - started, result(whole)
    assert "Recipe: fine-tuning: " in log
    drawn, kills, jobs = random.Random(18), 0, 0
    while kills < KILLS:
        jobs += 1
        tree = lay_out(tmp_path / f"broken-{jobs}", images, tiny_backbone)
        while kills < KILLS:
            with small_job.start(tree) as running:
                time.sleep(drawn.uniform(0, longest))
                if not running.kill():
                    break
            kills += 1
            small_job.move_to_another_machine(tree)
        else:
            small_job.start(tree).finish()
        assert result(tree) == expected
