"""What `serve` imports before the model can be loaded: the milliseconds of a module are paid by every start."""

import subprocess
import sys

import pytest

from image_classifier import PROGRAM

SLOW = ("PIL", "flask", "numpy", "openvino", "orjson", "prometheus_client", "tensorflow", "werkzeug")


@pytest.mark.parametrize("module", ["startup", "gunicorn_worker", "worker"], ids=["check", "server", "worker"])
def test_nothing_slow_is_imported_before_the_model_is_loaded(module: str) -> None:
    """A fresh process with the modules of a step of the start -> neither Flask nor what decodes and computes."""
    imported = f"import image_classifier.serving.processes.{module}"
    program = f"{imported}, sys\nprint(*set({SLOW!r}).intersection(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(PROGRAM)}, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []
