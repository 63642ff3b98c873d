"""scripts/serve-locally and scripts/predict as they are typed."""

import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from image_classifier import archives, tensorflow_start
from tests.platform import sample_images
from tests.platform.serving import ROOT, served_locally
from tests.support import pseudo_terminal
from tests.support.waiting import free_port
from tests.unit.inference import colours

pytestmark = pytest.mark.no_cover

Finished = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def model(colour_models: Path) -> Path:
    """The classifier of colours, which OpenVINO serves."""
    return colour_models / "both+openvino"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that is green on its left half, in a file."""
    path = tmp_path_factory.mktemp("images") / "green.png"
    path.write_bytes(sample_images.encode(sample_images.plain(), "PNG"))
    return path


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    """The address of a server of the classifier."""
    with served_locally(model) as (_, address):
        yield address


def run(script: str, *words: object, cwd: Path | None = None) -> Finished:
    """Run a command of the project and wait for its end."""
    command = [str(ROOT / "scripts" / script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=cwd)


@pytest.mark.every
def test_table_shows_the_best_three(url: str, image: Path) -> None:
    """Two images -> a line each with the names and percentages, the most probable first."""
    done = run("predict", image, image, "--url", url)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{image}  green ")
    assert next(word for word in lines[0].split() if word in ("red", "green", "blue")) == "green"
    assert lines[0].count("%") == 3


def test_json_lines_hold_file_and_answer(url: str, image: Path) -> None:
    """--json -> an object a line: the file and everything that the server answers."""
    done = run("predict", "--json", image, "--url", url)
    found = json.loads(done.stdout)
    assert list(found) == ["file", "probabilities", "labels", "predicted_label"]
    assert (found["file"], found["predicted_label"], len(found["probabilities"])) == (str(image), "green", 3)


@pytest.mark.every
def test_accept_is_passed_on(url: str, image: Path) -> None:
    """--accept application/json -> probabilities alone; without names the table shows indices."""
    assert list(json.loads(run("predict", "--json", "--accept", "application/json", image, "--url", url).stdout)) == [
        "file",
        "probabilities",
    ]
    assert "class 1 " in run("predict", "--accept", "application/json", image, "--url", url).stdout
    rejected = run("predict", "--accept", "text/csv", image, "--url", url)
    assert rejected.returncode == 1
    assert "rejected with 406: Accept 'text/csv' is not offered." in rejected.stderr


def test_rejected_images_do_not_stop_the_others(url: str, image: Path, tmp_path: Path) -> None:
    """A text, a file that is not there, an image -> a sentence for each of the first two, an answer, exit 1."""
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    done = run("predict", "--json", text, tmp_path / "absent.jpg", image, "--url", url)
    assert done.returncode == 1
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == [str(image)]
    first, second = done.stderr.splitlines()
    assert first.startswith(
        f"UserError: {text}: rejected with 400: The body is not an image of a known format but the text"
    )
    absent = f"UserError: {tmp_path / 'absent.jpg'} cannot be read: No such file or directory."
    assert second == f"{absent} Give image files, or folders of them."


@pytest.fixture(scope="module")
def labelled(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders with 23 green images, two of which lie in the folder of another class."""
    folder = tmp_path_factory.mktemp("labelled")
    for name, count in (("green", 21), ("red", 2)):
        (folder / name).mkdir()
        for number in range(count):
            shutil.copy(image, folder / name / f"{number:02}.png")
    return folder


def test_class_folders_give_the_accuracy(url: str, labelled: Path, tmp_path: Path) -> None:
    """Given a folder of class folders -> a line an image, recall by class, the matrix, accuracy and its baseline."""
    done = run("predict", labelled, "--csv", tmp_path / "answers.csv", "--url", url)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert sum(line.startswith(f"{labelled}/green/") for line in lines) == 21
    assert next(line.split() for line in lines if line.strip().startswith("red ")) == ["red", "0", "2", "0.0000"]
    assert lines[-1] == "Accuracy 0.9130 (21 of 23 images; always answering green: 0.9130)"
    rows = (tmp_path / "answers.csv").read_text().splitlines()
    assert len(rows) == 24
    assert rows[-1].startswith(f"{labelled}/red/01.png,red,green,")


def test_terminal_shows_the_wrong_answers_alone(url: str, labelled: Path) -> None:
    """Given more images than fit a screen, on a terminal -> a bar meanwhile, then the wrong ones and the accuracy."""
    command = [ROOT / "scripts" / "predict", labelled, "--url", url]
    with pseudo_terminal.running(command, columns=120) as terminal:
        assert terminal.exit_code() == 0
        assert "Classifying" in terminal.text
        assert "/green/" not in terminal.text
        assert terminal.text.count("/red/") == 2
        assert "Accuracy 0.9130 (21 of 23 images" in terminal.text


def test_errors_are_red_on_a_terminal_and_plain_on_request(image: Path, tmp_path: Path) -> None:
    """Given a file that is not there -> "Error:" in red on a terminal, without an escape sequence under NO_COLOR."""
    command = [ROOT / "scripts" / "predict", tmp_path / "absent.jpg"]
    for variables, is_red in ((dict[str, str](), True), ({"NO_COLOR": "1"}, False)):
        with pseudo_terminal.running(command, columns=200, variables=variables) as terminal:
            assert terminal.exit_code() == 1
            assert f"Error: {tmp_path / 'absent.jpg'} cannot be read: No such file or directory." in terminal.text
            assert ("\x1b[1;31mError:" in terminal.raw) == is_red


def test_no_server_is_said(image: Path) -> None:
    """Nothing listens at the address -> exit 1 and one sentence that says how to start a server."""
    done = run("predict", image, "--url", f"http://127.0.0.1:{free_port()}/invocations")
    assert done.returncode == 1
    assert done.stderr.startswith("PlatformError: No server answers as expected at http://127.0.0.1:")
    assert "scripts/serve-locally starts one" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_archive_is_served_and_sigterm_is_passed_on(model: Path, image: Path, tmp_path: Path) -> None:
    """A model.tar.gz -> served; SIGTERM to the command -> the server ends and exit code 0."""
    archive = tmp_path / "model.tar.gz"
    archives.pack(model, archive)
    with served_locally(archive) as (process, address):
        found = json.loads(run("predict", "--json", image, "--url", address).stdout)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=40)
    assert found["predicted_label"] == "green"
    assert process.returncode == 0
    assert f"Serving {archive} on http://127.0.0.1:" in output


def test_job_folder_is_served_once_it_is_ready(model: Path, image: Path, tmp_path: Path) -> None:
    """Given a local job's folder, on a terminal -> served; "Serving" after "Ready", a short line for each request."""
    (tmp_path / "job" / "input").mkdir(parents=True)
    shutil.copytree(model, tmp_path / "job" / "model")
    port = free_port()
    command = [ROOT / "scripts" / "serve-locally", "job", "--port", port]
    with pseudo_terminal.running(command, columns=120, cwd=tmp_path) as terminal:
        terminal.wait_for(f"Serving job on http://127.0.0.1:{port} until Ctrl-C.")
        assert terminal.text.index("Ready on port") < terminal.text.index("Serving job")
        address = f"http://127.0.0.1:{port}/invocations"
        assert run("predict", image, "--url", address).returncode == 0
        assert run("predict", "--accept", "text/csv", image, "--url", address).returncode == 1
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


@pytest.mark.parametrize("kind", ["outside", "absolute", "link", "hard link", "device"])
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


@pytest.mark.parametrize("name", ["model.pkl", "model.keras", "model.h5", "1/model.joblib"])
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
