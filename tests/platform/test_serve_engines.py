"""Engine selection, also without TensorFlow, as in the serve image."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from image_classifier.resources.processors import has_bfloat16
from tests.platform import sample_images
from tests.platform.serving import ROOT, Server
from tests.support import tiny_models
from tests.support.waiting import free_port

pytestmark = pytest.mark.no_cover

StartServer = Callable[..., Server]


@pytest.fixture(scope="module")
def slim_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment without TensorFlow."""
    folder = tmp_path_factory.mktemp("slim")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip())
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("tensorflow", "tf_keras", "__pycache__")) and path.suffix != ".pth":
            (packages / path.name).symlink_to(path)
    return python


@pytest.fixture
def tree_of(colour_models: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that creates a platform tree with a copy of a model."""

    def make(form: str) -> Path:
        shutil.copytree(colour_models / form, tmp_path / "model")
        return tmp_path

    return make


def rejection(tree: Path, python: Path | str = sys.executable, **variables: str) -> str:
    """Run the entry point until it exits with 1; return its single line."""
    own = {"SAGEMAKER_BASE_DIR": str(tree), "SAGEMAKER_BIND_TO_PORT": str(free_port())}
    command = [str(python), str(ROOT / "container" / "serve")]
    environment = {**os.environ, **own, **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done.stderr
    return done.stderr.strip()


def slim_server(tree: Path, python: Path, **variables: str) -> Server:
    """Start the entry point in the environment without TensorFlow."""
    port = free_port()
    own = {"SAGEMAKER_BASE_DIR": str(tree), "SAGEMAKER_BIND_TO_PORT": str(port)}
    log_file = tree / "log.txt"
    with log_file.open("wb") as log:
        command = [str(python), str(ROOT / "container" / "serve")]
        process = subprocess.Popen(command, env={**os.environ, **own, **variables}, cwd=tree, stdout=log, stderr=log)
    return Server(process, port, log_file)


@pytest.mark.parametrize(
    ("form", "classes"), [("both+openvino", 3), pytest.param("binary+openvino", 1, marks=pytest.mark.every)]
)
def test_slim_environment_serves_a_model_with_an_ir(
    tree_of: Callable[[str], Path], slim_python: Path, form: str, classes: int
) -> None:
    """Given a model with an IR and no TensorFlow -> ready, the correct label, exit code 0 on SIGTERM."""
    server = slim_server(tree_of(form), slim_python)
    try:
        server.wait_until_ready(60)
        image = sample_images.encode(sample_images.plain(), "PNG")
        found = server.classify(image, Accept="application/json;verbose").json
        assert (found["predicted_label"], len(found["probabilities"])) == ("green", classes)
        assert " openvino, " in server.log().splitlines()[0]
    finally:
        server.process.terminate()
        assert server.end() == 0


def test_slim_environment_rejects_a_model_without_an_ir(tree_of: Callable[[str], Path], slim_python: Path) -> None:
    """Given a model without an IR and no TensorFlow -> exit code 1 immediately, one line with the remedy."""
    tree = tree_of("both")
    assert rejection(tree, slim_python) == (
        f"UserError: TensorFlow is not installed here, but {tree / 'model'} has no OpenVINO IR. Create one with "
        f"scripts/convert-model {tree / 'model'} where TensorFlow is installed."
    )


def test_slim_environment_rejects_the_tensorflow_engine(tree_of: Callable[[str], Path], slim_python: Path) -> None:
    """Given SERVE_ENGINE=tensorflow without TensorFlow -> exit code 1, one line with the suitable image targets."""
    line = rejection(tree_of("both+openvino"), slim_python, SERVE_ENGINE="tensorflow")
    assert line.startswith("UserError: SERVE_ENGINE is tensorflow, which is not installed here.")
    assert "cpu or gpu target" in line


def test_openvino_without_an_ir_is_rejected(tree_of: Callable[[str], Path]) -> None:
    """Given SERVE_ENGINE=openvino and a model without an IR -> exit code 1, one line with the same remedy."""
    line = rejection(tree_of("both"), SERVE_ENGINE="openvino")
    assert line.startswith("UserError: SERVE_ENGINE is openvino, but ")
    assert "scripts/convert-model" in line


def test_unknown_engine_and_precision_are_rejected(tree_of: Callable[[str], Path]) -> None:
    """Given invalid values of both variables -> exit code 1, one line with both lists."""
    line = rejection(tree_of("both"), SERVE_ENGINE="onnx", SERVE_PRECISION="fp16")
    assert "SERVE_ENGINE is 'onnx'; allowed: auto, openvino, tensorflow." in line
    assert "SERVE_PRECISION is 'fp16'; allowed: f32, bf16, int8, auto." in line


def test_corrupt_ir_stops_the_server(tree_of: Callable[[str], Path], start: StartServer) -> None:
    """Given an IR with a changed byte -> the server exits, one line with the folder and the remedy."""
    tree = tree_of("both+openvino")
    weights = tree / "model" / "openvino" / "model.bin"
    weights.write_bytes(weights.read_bytes() + b"x")
    server = start(tree)
    assert server.end(30) != 0
    assert len(server.log().splitlines()) == 1
    assert server.log().startswith(f"UserError: The OpenVINO IR in {tree / 'model' / 'openvino'} is corrupt: ")
    assert "run scripts/convert-model" in server.log()


@pytest.mark.every
def test_ir_of_another_model_is_skipped(
    tree_of: Callable[[str], Path], colour_models: Path, start: StartServer
) -> None:
    """Given an IR of another SavedModel -> TensorFlow serves the SavedModel, with the reason in the log."""
    tree = tree_of("both+openvino")
    shutil.rmtree(tree / "model" / "1")
    shutil.copytree(colour_models / "bytes" / "1", tree / "model" / "1")
    server = start(tree)
    server.wait_until_ready()
    remark, ready, *_ = server.log().splitlines()
    assert "was converted from another SavedModel than the one beside it" in remark
    assert " tensorflow, 3 classes" in ready


def test_int8_is_served_shown_and_its_absence_rejected(tmp_path: Path, start: StartServer) -> None:
    """Given SERVE_PRECISION=int8 -> one line with the remedy; with an int8 network it answers, and the log says so."""
    model = tiny_models.write(tmp_path / "model", "tiny")
    line = rejection(tmp_path, SERVE_PRECISION="int8")
    assert line.startswith(f"UserError: SERVE_PRECISION is int8, but {model.folder} has no int8 network. ")
    tiny_models.add_int8(model)
    server = start(tmp_path, SERVE_PRECISION="int8")
    server.wait_until_ready()
    found = server.classify(sample_images.encode(Image.new("RGB", (48, 36), (250, 20, 20)), "PNG")).json
    assert 0.98 < max(found["probabilities"]) < 0.999
    assert ", precision int8 (SERVE_PRECISION is int8)." in server.log()
    assert 'precision="int8"' in server.ask("/metrics").body.decode()
    assert server.ask("/execution-parameters").json["Precision"] == "int8"


@pytest.mark.skipif(not has_bfloat16(), reason="this CPU does not compute in bfloat16")
def test_bfloat16_is_served_if_the_cpu_supports_it(tree_of: Callable[[str], Path], start: StartServer) -> None:
    """Given SERVE_PRECISION=bf16 -> ready, and the correct label."""
    server = start(tree_of("both+openvino"), SERVE_PRECISION="bf16")
    server.wait_until_ready()
    answer = server.classify(sample_images.encode(sample_images.plain(), "PNG"), Accept="application/json;verbose")
    assert answer.json["predicted_label"] == "green"
