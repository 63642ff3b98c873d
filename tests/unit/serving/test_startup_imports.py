"""Start-up cost: imports before the model is loaded, and garbage collection of start-up objects."""

import subprocess
import sys
from pathlib import Path

import pytest

from image_classifier import PROGRAM
from tests.support import tiny_models

SLOW = ("PIL", "flask", "numpy", "openvino", "orjson", "prometheus_client", "tensorflow", "werkzeug")


@pytest.mark.parametrize("module", ["startup", "gunicorn_worker", "worker"], ids=["check", "server", "worker"])
def test_slow_modules_are_not_imported_before_loading(module: str) -> None:
    """Given a fresh process with the modules of a start-up step -> no Flask, decoder or engine is imported."""
    imported = f"import image_classifier.serving.processes.{module}"
    program = f"{imported}, sys\nprint(*set({SLOW!r}).intersection(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(PROGRAM)}, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []


_START = """
import gc, time
from image_classifier.serving.processes import worker

application = worker.application()
client = application.test_client()
while client.get("/ping").status_code != 200:
    time.sleep(0.01)
print(gc.isenabled(), gc.get_freeze_count())
"""


@pytest.mark.parametrize("many", ["true", "false"])
def test_start_up_objects_are_excluded_from_garbage_collection(tmp_path: Path, many: str) -> None:
    """Given a server that is ready -> garbage collection is on, and modules and model are frozen."""
    tiny_models.write(tmp_path / "model", "tiny")
    environment = {"PYTHONPATH": str(PROGRAM), "SAGEMAKER_BASE_DIR": str(tmp_path), "SAGEMAKER_MULTI_MODEL": many}
    found = subprocess.run(
        [sys.executable, "-c", _START], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    is_on, frozen = found.stdout.split()
    assert is_on == "True"
    assert int(frozen) > 10_000
