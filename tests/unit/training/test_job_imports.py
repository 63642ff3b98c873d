"""Imports of a job before its first step: an unused module costs every job seconds."""

import json
import subprocess
import sys
from typing import Any

import pytest

from image_classifier import PROGRAM

UNUSED = (
    "torch",
    "boto3",
    "cleanlab",
    "flask",
    "gunicorn",
    "imagehash",
    "keras",
    "matplotlib",
    "moto",
    "openvino",
    "optuna",
    "pandas",
    "scipy",
    "sklearn",
    "tensorboard",
)
OF_TENSORFLOW = ("tensorflow", "tf_keras", "tensorflow_hub")
EARLY = "import image_classifier.training.job"
LATE = """
import gc
from image_classifier import tensorflow_start
tensorflow_start.start()
frozen = gc.get_freeze_count()
later = [[] for _ in range(1000)]
tensorflow_start.start()
frozen_later, is_on = gc.get_freeze_count(), gc.isenabled()
from image_classifier.inference.engines import tensorflow
from image_classifier.untrusted_models import loader
from image_classifier.training import fine_tuning
from image_classifier.training.devices import accelerators
from image_classifier.training.export import finalisation, saved_model_export
from image_classifier.training.model import earlier_model
import tensorflow_hub
"""


def printed(program: str) -> str:
    """Return what a fresh process prints."""
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, env={"PYTHONPATH": str(PROGRAM)}, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def started() -> Any:
    """What a process with all of the job's imports is like."""
    return json.loads(
        printed(
            f"{EARLY}{LATE}\nimport json, sys\n"
            "print(json.dumps([sorted(sys.modules), frozen, frozen_later, is_on, len(later)]))"
        )
    )


def test_job_imports_no_unused_modules_until_the_data_are_known() -> None:
    """A fresh process with the job's first imports -> neither TensorFlow nor what only other programs need."""
    found = printed(f"{EARLY}\nimport sys\nprint(*set({(*UNUSED, *OF_TENSORFLOW)!r}).intersection(sys.modules))")
    assert found.split() == []


@pytest.mark.every
def test_job_imports_no_unused_modules_until_the_first_step(started: Any) -> None:
    """A fresh process with the job's imports -> modules that only other programs need are not loaded."""
    modules = set(started[0])
    assert modules.intersection(UNUSED) == set()
    assert modules >= set(OF_TENSORFLOW)


@pytest.mark.every
def test_tensorflows_modules_are_excluded_from_garbage_collection(started: Any) -> None:
    """Given TensorFlow started twice -> its modules are excluded from collection, later objects are not."""
    _, frozen, later, is_on, made = started
    assert is_on
    assert frozen > 100_000
    assert made == 1000
    assert later < frozen + 500
