"""Imports of a job before its first step: an unused module costs every job seconds."""

import subprocess
import sys

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
from image_classifier import tensorflow_start
tensorflow_start.start()
from image_classifier.inference.engines import tensorflow
from image_classifier.untrusted_models import loader
from image_classifier.training import fine_tuning
from image_classifier.training.devices import accelerators
from image_classifier.training.export import finalisation, saved_model_export
from image_classifier.training.model import earlier_model
import tensorflow_hub
"""


@pytest.mark.parametrize(
    ("statements", "unused"),
    [(EARLY, (*UNUSED, *OF_TENSORFLOW)), (f"{EARLY}{LATE}", UNUSED)],
    ids=["until the data are known", "until the first step"],
)
def test_job_imports_no_unused_modules(statements: str, unused: tuple[str, ...]) -> None:
    """A fresh process with the job's imports -> modules that only other programs need are not loaded."""
    program = f"{statements}\nimport sys\nprint(*set({unused!r}).intersection(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={"PYTHONPATH": str(PROGRAM)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == []
