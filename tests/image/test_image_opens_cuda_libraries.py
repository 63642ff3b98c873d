import pytest

from tests.image.conftest import name_of_image
from tests.image.containers import docker, run

# What TensorFlow does before it registers GPUs, called by its C++ name: an absl::Status comes back through the pointer,
# and 1 is how OK is stored. Ours asks for the same libraries by name, and this shows that the names are the right ones.
ASK_TENSORFLOW = """
import ctypes, pathlib
import tensorflow as tf
library = ctypes.CDLL(str(pathlib.Path(tf.__file__).with_name("libtensorflow_framework.so.2")))
status = (ctypes.c_uint64 * 2)()
library["_ZN3tsl8internal9DsoLoader26MaybeTryDlopenGPULibrariesEv"](status)
print("opened all" if status[0] == 1 else "did not open all")
"""
ASK_US = """
import sys
sys.path.insert(0, "/opt/program/image_classifier/training/devices")
import cuda_libraries
print(cuda_libraries.complaint(cuda_libraries.check()) or "opened all")
"""
BREAK = 'rm -r /opt/venv/lib/python3*/site-packages/nvidia/cufft && exec python -c "$0"'


@pytest.fixture(scope="module")
def gpu_image() -> str:
    """Name of the gpu image."""
    return name_of_image("gpu")


def test_tensorflow_and_we_open_every_library(gpu_image: str) -> None:
    """Given the gpu image and no GPU -> TensorFlow's own check of its libraries succeeds, and so does ours."""
    assert run(gpu_image, "python", "-c", ASK_TENSORFLOW).splitlines()[-1] == "opened all"
    assert run(gpu_image, "python", "-c", ASK_US).splitlines()[-1] == "opened all"


def test_both_notice_one_that_is_missing(gpu_image: str) -> None:
    """Given the image without cuFFT -> both fail, and ours names it."""
    words = ("run", "--rm", "--network", "none", gpu_image, "sh", "-c", BREAK)
    assert docker(*words, ASK_TENSORFLOW).splitlines()[-1] == "did not open all"
    assert docker(*words, ASK_US).splitlines()[-1].startswith("TensorFlow cannot open libcufft.so.11 (")


def test_job_on_a_gpu_instance_without_a_device_says_so(gpu_image: str) -> None:
    """Given an instance type with a GPU and a container that was given none -> one loud line with the reason."""
    program = (
        "from image_classifier import tensorflow_start; tensorflow_start.start()\n"
        "from image_classifier.contract.opt_ml import Resources\n"
        "from image_classifier.training.devices import accelerators\n"
        "print(*accelerators.prepare(Resources(current_instance_type='ml.g5.xlarge')), sep='\\n')\n"
    )
    options = ("--network", "none", "--env", "PYTHONPATH=/opt/program")
    warning, devices = run(gpu_image, "python", "-c", program, options=options).splitlines()[-2:]
    assert warning.startswith("WARNING: THIS JOB TRAINS ON THE CPU although there is a GPU (instance type ml.g5.xlarge")
    assert "given no device" in warning
    assert devices.endswith("no GPU")
