"""scripts/serve-locally as it is typed."""

import json
import os
import pickle
import shutil
import signal
import socket
import tarfile
from pathlib import Path
from typing import Any

import pytest

from image_classifier import archives, tensorflow_start
from tests.platform.commands import run
from tests.platform.serving import ROOT, served_locally
from tests.support import pseudo_terminal
from tests.support.representatives import some_of
from tests.support.waiting import free_port
from tests.unit.inference import colours

pytestmark = pytest.mark.no_cover


@pytest.fixture(scope="module")
def model(colour_models: Path) -> Path:
    """The classifier of colours, which OpenVINO serves."""
    return colour_models / "both+openvino"


def test_archive_is_served_and_sigterm_is_passed_on(model: Path, green_image: Path, tmp_path: Path) -> None:
    """A model.tar.gz -> served; SIGTERM to the command -> the server ends and exit code 0."""
    archive = tmp_path / "model.tar.gz"
    archives.pack(model, archive)
    with served_locally(archive) as (process, address):
        found = json.loads(run("predict", "--json", green_image, "--url", address).stdout)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=40)
    assert found["predicted_label"] == "green"
    assert process.returncode == 0
    assert f"Serving {archive} on http://127.0.0.1:" in output


def test_job_folder_is_served_once_it_is_ready(model: Path, green_image: Path, tmp_path: Path) -> None:
    """Given a local job's folder, on a terminal -> served; "Serving" after "Ready", a short line for each request."""
    (tmp_path / "job" / "input").mkdir(parents=True)
    shutil.copytree(model, tmp_path / "job" / "model")
    port = free_port()
    command = [ROOT / "scripts" / "serve-locally", "job", "--port", port]
    with pseudo_terminal.running(command, columns=120, cwd=tmp_path) as terminal:
        terminal.wait_for(f"Serving job on http://127.0.0.1:{port} until Ctrl-C.")
        assert terminal.text.index("Ready on port") < terminal.text.index("Serving job")
        address = f"http://127.0.0.1:{port}/invocations"
        assert run("predict", green_image, "--url", address).returncode == 0
        assert run("predict", "--accept", "text/csv", green_image, "--url", address).returncode == 1
        terminal.wait_for("406")
        terminal.press(pseudo_terminal.CTRL_C)
        assert terminal.exit_code() == 0
    lines = [line for line in terminal.text.splitlines() if "POST /invocations" in line]
    assert ["  200  1 image  " in lines[0], "  406  " in lines[1]] == [True, True]
    assert "request_id" not in terminal.text


def test_model_that_cannot_be_served_is_named_as_it_was_typed(model: Path, tmp_path: Path) -> None:
    """Given a job's folder whose labels are missing -> exit 1, "Serving" is never said, and the path is the user's."""
    (tmp_path / "job" / "input").mkdir(parents=True)
    shutil.copytree(model, tmp_path / "job" / "model")
    for name in ("labels_info.json", "class_label_to_prediction_index.json"):
        (tmp_path / "job" / "model" / name).unlink(missing_ok=True)
    done = run("serve-locally", "job", "--port", free_port(), cwd=tmp_path)
    assert done.returncode != 0
    assert "Serving" not in done.stdout
    assert "job has no labels_info.json" in done.stderr
    assert "serve-locally-" not in done.stderr


def test_taken_port_is_said_before_anything_is_loaded(model: Path) -> None:
    """A port on which another program listens -> exit 1 and one sentence with the option."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = run("serve-locally", model, "--port", other.getsockname()[1])
    assert done.returncode == 1
    assert "cannot be used" in done.stderr
    assert "Choose another with --port." in done.stderr


def test_missing_model_is_said(tmp_path: Path) -> None:
    """A model that is not there -> exit 1 and one sentence."""
    done = run("serve-locally", tmp_path / "absent", "--port", free_port())
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"UserError: The model {tmp_path / 'absent'} does not exist. Give a model folder or a .tar.gz of one."
    ]


@pytest.mark.parametrize("kind", some_of(("outside", "absolute", "link", "hard link", "device"), ("outside",)))
def test_hostile_archive_is_rejected(tmp_path: Path, kind: str) -> None:
    """A member outside the folder, a link, a device -> exit 1, rejected by name, nothing written."""
    member = tarfile.TarInfo({"outside": "../escaped", "absolute": str(tmp_path / "escaped")}.get(kind, "1"))
    member.type = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}.get(
        kind, tarfile.REGTYPE
    )
    member.linkname = "/etc/passwd" if "link" in kind else ""
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(member)
    done = run("serve-locally", archive, "--port", free_port())
    assert done.returncode == 1
    assert f"{archive} is rejected" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "escaped").exists()


class Planted:
    """Something that leaves a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        """Say what unpickling shall call."""
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("name", some_of(("model.pkl", "model.keras", "model.h5", "1/model.joblib"), ("model.pkl",)))
def test_pickles_are_never_opened(tmp_path: Path, name: str) -> None:
    """A pickle under each usual name instead of a SavedModel -> exit 1, and nothing was unpickled."""
    path = tmp_path / "model" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(Planted()))
    done = run("serve-locally", tmp_path / "model", "--port", free_port(), cwd=tmp_path)
    assert done.returncode == 1
    assert "contains no SavedModel" in done.stderr
    assert not (tmp_path / "unpickled").exists()


def save_file_reader(folder: Path) -> None:
    """Save a classifier whose graph reads a file."""
    tensorflow_start.start()
    import tensorflow as tf

    def answer(pixels: Any) -> Any:
        one = tf.minimum(tf.strings.length(tf.io.read_file("/dev/null")) + 1, 1)
        means = tf.reduce_mean(tf.cast(pixels, tf.float32) / 25, [1, 2])
        return {"probabilities": tf.nn.softmax(tf.cast(one, tf.float32) * means)}

    signature = tf.function(answer, input_signature=[tf.TensorSpec((None, *colours.SIZE, 3), tf.uint8, "pixels")])
    tf.saved_model.save(tf.Module(), str(folder), signatures={"pixels": signature})


@pytest.mark.every
def test_model_that_reads_files_needs_trust(
    colour_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph with ReadFile -> rejected with one line; with SERVE_TRUST_MODEL=true -> served."""
    shutil.copytree(colour_models / "both", tmp_path / "model")
    shutil.rmtree(tmp_path / "model" / "1")
    save_file_reader(tmp_path / "model" / "1")
    done = run("serve-locally", tmp_path / "model", "--port", free_port())
    assert done.returncode != 0
    assert "ReadFile" in done.stderr
    assert "SERVE_TRUST_MODEL=true" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    monkeypatch.setenv("SERVE_TRUST_MODEL", "true")
    with served_locally(tmp_path / "model") as (process, _):
        assert process.poll() is None
