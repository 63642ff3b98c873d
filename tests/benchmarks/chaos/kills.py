"""When and how a job is killed, and the outcome."""

import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import artifacts
from tests.benchmarks.chaos import damage, results, small_job

KINDS: dict[str, dict[str, Any]] = {
    "whole network, augmented": {"augmentation": True, "epochs": 6},
    "head on features": {"train_only_top_layer": True, "epochs": 12},
}
PHASES = {
    "": "start of Python",
    "Head: ": "import of TensorFlow",
    "Devices: ": "loading of the backbone",
    "Backbone: ": "building of the network",
    "Training images: ": "features or first steps",
    "Validation images: ": "features or first validation",
    "13/13 - ": "steps",
    "- Average training duration": "export or IR",
    "OpenVINO IR: ": "verification",
    "Bytes signature ": "reports or end",
}
"""By how the last line of the log begins."""
SKIPPED, RESUMING = "Skipping corrupt checkpoint ", "Resuming from a checkpoint: "
_SHORTER = 0.8
"""Of a moment that came too late."""


@dataclass(frozen=True)
class Reference:
    """The same job, undisturbed."""

    result: dict[str, bytes]
    seconds: float


@dataclass(frozen=True)
class Plan:
    """One kill, drawn before anything runs."""

    kind: str
    moment: float
    """As a share of the undisturbed job's duration."""
    another_machine: bool
    """Whether the checkpoints alone come back, or all files are still there."""
    damage: str
    """Of the newest checkpoint: "flip", "truncate", or "" for none."""
    seed: int


@dataclass(frozen=True)
class Row:
    """What happened."""

    plan: Plan
    seconds: float
    phase: str
    left: str
    """What the kill left of checkpoints and of the model."""
    corrupt: str
    said: str
    """By the restart, of checkpoints."""
    different: tuple[str, ...]
    """Parts of the result that are not the undisturbed job's."""


def draw(count: int, seed: int) -> list[Plan]:
    """Spread kills evenly at random over the whole life of the job, both kinds and every sort of restart."""
    drawn = random.Random(seed)
    moments = [(index + drawn.random()) / count for index in range(count)]
    drawn.shuffle(moments)
    kinds = [list(KINDS)[index % len(KINDS)] for index in range(count)]
    damages = [("flip", "truncate")[index // 4 % 2] if index % 4 == 3 else "" for index in range(count)]
    drawn.shuffle(damages)
    return [
        Plan(kind, moment, drawn.random() < 0.5, broken, drawn.randrange(2**31))
        for kind, moment, broken in zip(kinds, moments, damages, strict=True)
    ]


def run_undisturbed(tree: Path, inputs: Path, kind: str) -> tuple[dict[str, bytes], float]:
    """Run a job of a kind to its end; return its result and its duration in seconds."""
    running = small_job.start(small_job.lay_out(tree, inputs, **KINDS[kind]))
    running.finish()
    seconds = running.age()
    return results.read(tree), seconds


def carry_out(plan: Plan, tree: Path, inputs: Path, reference: Reference) -> Row:
    """Kill a new job at the planned moment, start it again, and compare its result with the undisturbed job's."""
    running, seconds = _killed(plan, tree, inputs, reference.seconds)
    log, checkpoints = running.log(), tree / "checkpoints"
    left = _left(tree)
    if plan.another_machine:
        small_job.move_to_another_machine(tree)
    corrupt = _damage(plan, checkpoints)
    again = small_job.start(tree)
    try:
        again.finish()
        found = tuple(results.different(reference.result, results.read(tree)))
    except AssertionError as failure:
        print(failure, file=sys.stderr, flush=True)
        found = ("it did not finish",)
    said = _said(again.log())
    shutil.rmtree(tree)
    return Row(plan, seconds, phase_of(log), left, corrupt, said, found)


def _killed(plan: Plan, tree: Path, inputs: Path, whole: float) -> tuple[small_job.Running, float]:
    seconds = plan.moment * whole
    while True:
        running = small_job.start(small_job.lay_out(tree, inputs, **KINDS[plan.kind]))
        try:
            running.process.wait(seconds)
        except subprocess.TimeoutExpired:
            if running.kill():
                return running, seconds
        # The machine was faster than with the undisturbed job.
        shutil.rmtree(tree)
        seconds *= _SHORTER


def _damage(plan: Plan, checkpoints: Path) -> str:
    newest = damage.newest_folder(checkpoints)
    if not plan.damage or newest is None:
        return ""
    drawn = random.Random(plan.seed)
    path = drawn.choice(sorted(newest.iterdir()))
    act = damage.flip if plan.damage == "flip" else damage.truncate
    return act(path, drawn.randrange(10**7))


def _left(tree: Path) -> str:
    newest = damage.newest_folder(tree / "checkpoints")
    found = {
        "features": any(tree.glob("checkpoints/features/*/*")),
        f"checkpoint of step {newest.name.rpartition('-')[2] if newest else ''}": newest is not None,
        "a checkpoint half written": any(tree.glob("checkpoints/.checkpoint-*")),
        "a model half written": any(tree.glob("model/.*")),
        "a model": (tree / "model" / artifacts.SAVED_MODEL_DIR).is_dir(),
    }
    return ", ".join(name for name, there in found.items() if there) or "nothing"


def phase_of(log: str) -> str:
    """Return in which phase a job was, by the last line of its log that says so."""
    lines = log.splitlines()
    begun = [phase for line in lines for start, phase in PHASES.items() if start and line.startswith(start)]
    return begun[-1] if begun else PHASES[""]


def _said(log: str) -> str:
    lines = log.splitlines()
    kept = ["features kept" for line in lines if "features of an earlier run" in line][:1]
    skipped = [line.removeprefix(SKIPPED).rstrip(".") for line in lines if line.startswith(SKIPPED)]
    resumed = [line.removeprefix(RESUMING).rstrip(".") for line in lines if line.startswith(RESUMING)]
    return "; ".join([*kept, *skipped, *(resumed or ["nothing to resume from"])])
