"""A whole job with recipe=auto, as SageMaker starts it: undisturbed, and killed at a stage's end and resumed."""

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from image_classifier.contract import metrics
from image_classifier.contract.opt_ml import OptMl
from tests.benchmarks.chaos import small_job
from tests.platform.training_process import link_backbone
from tests.support import stripes

pytestmark = pytest.mark.every


@dataclass(frozen=True)
class Job:
    """The tree of a job, and what it printed last."""

    tree: Path
    log: str


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Job:
    """Run a job undisturbed."""
    tree = lay_out(tmp_path_factory.mktemp("whole"), tiny_backbone)
    return Job(tree, small_job.start(tree).finish())


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Job:
    """Run the same job, killed when its head is stored, and start it again elsewhere."""
    tree = lay_out(tmp_path_factory.mktemp("resumed"), tiny_backbone)
    stored = small_job.start(tree)
    stored.kill_when(lambda: any((tree / "checkpoints").glob("checkpoint-*-step-1")), "the head is stored")
    small_job.move_to_another_machine(tree)
    return Job(tree, small_job.start(tree).finish())


def lay_out(tree: Path, backbone: Path) -> Path:
    """Make the platform's tree of a job that is fine-tuned: two classes of 40 images, 32 of them to train on."""
    settings = {"recipe": "auto", "deterministic": "True", "batch_size": "8"}
    OptMl(tree).lay_out(settings, checkpoints=True)
    stripes.write(tree / "input" / "data" / "training", 40)
    link_backbone(tree, backbone)
    return tree


def report(tree: Path) -> dict[str, Any]:
    """Read metrics.json."""
    found: dict[str, Any] = json.loads((tree / "output/data/metrics.json").read_text())
    return found


def without_times(value: Any) -> Any:
    """Return a JSON value without anything that is measured in seconds, such as the plan of the fine-tuning."""
    if isinstance(value, dict):
        return {name: without_times(inner) for name, inner in value.items() if "seconds" not in name and name != "plan"}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def test_model_is_verified_and_reports_carry_the_recipe(whole: Job) -> None:
    """The undisturbed job -> a verified model; the same record in metrics.json and in the model info."""
    info = json.loads((whole.tree / "model/__model_info__.json").read_text())
    recipe = report(whole.tree)["recipe"]
    assert info["verified"]
    assert info["recipe"] == recipe
    assert info["hyperparameter_sources"]["learning_rate"] == "chosen by the recipe"
    assert recipe["chosen"] in ("head", "network")
    assert 0 <= recipe["head"]["score"]["accuracy"] <= 1
    with (whole.tree / "output/data/out_of_fold.csv").open() as file:
        assert len(list(csv.DictReader(file))) == recipe["head"]["images"] == 64


def test_platform_collects_the_chosen_accuracy(whole: Job) -> None:
    """The log -> the platform's expression finds the head's accuracy first and the chosen one last."""
    [objective] = {one["Regex"] for one in metrics.definitions() if one["Name"] == metrics.OBJECTIVE}
    found = re.findall(objective, whole.log)
    assert len(found) >= 2
    assert float(found[-1]) == pytest.approx(report(whole.tree)["val_accuracy"], abs=1e-4)


def test_log_says_in_one_block_what_was_chosen_and_why(whole: Job) -> None:
    """The log -> consecutive lines: the choice and its rule, the head with C and its standard error, and the rest."""
    lines = whole.log.splitlines()
    first = next(index for index, line in enumerate(lines) if " is chosen, since " in line)
    block = lines[first : first + 5]
    assert all(line.startswith("Recipe: ") for line in block)
    assert re.search(r"accuracy \d\.\d{4} ± 0\.\d{4} in 5-fold cross-validation of 64 images .* C=", "\n".join(block))
    assert "learning_rate = " not in whole.log


def test_killed_after_its_head_it_resumes_with_the_same_result(whole: Job, resumed: Job) -> None:
    """Killed when the head was stored, started elsewhere -> no second cross-validation, and the same reports."""
    assert "Resuming from a checkpoint: finished before: head." in resumed.log
    assert "cross-validation of the head on 64 images of 2 classes\n" in whole.log
    assert "cross-validation of the head on 64 images of 2 classes\n" not in resumed.log
    assert without_times(report(whole.tree)) == without_times(report(resumed.tree))
    for name in ("predictions.csv", "out_of_fold.csv", "history.csv"):
        one, other = (job.tree / "output/data" / name for job in (whole, resumed))
        assert one.read_bytes() == other.read_bytes()
