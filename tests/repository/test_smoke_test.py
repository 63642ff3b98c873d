import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.project import ROOT

pytestmark = pytest.mark.no_cover

CUDA_LIBRARIES = ROOT / "container" / "image_classifier" / "training" / "devices" / "cuda_libraries.py"


def smoke_test(*words: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run docker/smoke-test in this environment, which has what the cpu image has; `path` is looked at first."""
    return subprocess.run(
        [sys.executable, ROOT / "docker" / "smoke-test", *words],
        env={**os.environ, "PYTHONPATH": str(path or "")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.every
def test_complete_packages_pass_with_one_line() -> None:
    """Given the packages of the cpu image -> exit code 0 and one line, without TensorFlow's own output."""
    done = smoke_test("cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "smoke-test cpu: 12 packages import, and 3 trials succeed.\n"
    assert done.stderr == ""


@pytest.mark.every
def test_missing_package_is_named(tmp_path: Path) -> None:
    """Given a package that cannot be imported -> exit code 1 and one line with its name and the reason."""
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "__init__.py").write_text("import libopenvino_that_is_missing\n")
    done = smoke_test("cpu", path=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "smoke-test cpu: openvino: ModuleNotFoundError: No module named 'libopenvino_that_is_missing'.\n"
    )


@pytest.mark.every
def test_package_that_imports_but_does_not_work_is_found(tmp_path: Path) -> None:
    """Given an OpenVINO that compiles nothing -> exit code 1, and the failed check is named."""
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "__init__.py").write_text("")
    done = smoke_test("cpu", path=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("smoke-test cpu: infer with openvino: ImportError: cannot import name 'opset13'")


def test_serve_image_with_tensorflow_fails() -> None:
    """Given TensorFlow and boto3 among the packages of an endpoint -> exit code 1, both named."""
    done = smoke_test("serve")
    assert done.returncode == 1
    assert "tensorflow: RuntimeError: must not be here" in done.stderr
    assert "boto3: RuntimeError: must not be here" in done.stderr


@pytest.mark.every
def test_gpu_image_without_cuda_libraries_fails() -> None:
    """Given a TensorFlow without NVIDIA's packages -> exit code 1 and one line with the libraries it cannot open."""
    done = smoke_test("gpu", path=CUDA_LIBRARIES.parent)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    for name in ("libcudart.so.12", "libcudnn.so.9", "libcusolver.so.11", "libnccl.so.2"):
        assert name in done.stderr


@pytest.mark.every
def test_gpu_check_needs_no_program(tmp_path: Path) -> None:
    """Given only the file with the check, as the Dockerfile copies it -> it runs and finds what is missing."""
    (tmp_path / "cuda_libraries.py").write_bytes(CUDA_LIBRARIES.read_bytes())
    assert "open cuda libraries: RuntimeError: TensorFlow cannot open" in smoke_test("gpu", path=tmp_path).stderr


@pytest.mark.parametrize("words", [(), ("gpus",)])
def test_target_must_be_one_of_three(words: tuple[str, ...]) -> None:
    """Given no target, or an unknown one -> exit code 2 and the usage."""
    done = smoke_test(*words)
    assert done.returncode == 2
    assert "{serve,cpu,gpu}" in done.stderr
