"""scripts/predict as it is typed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform.commands import run
from tests.platform.serving import ROOT, served_locally
from tests.support import pseudo_terminal
from tests.support.waiting import free_port

pytestmark = pytest.mark.no_cover


@pytest.fixture(scope="module")
def url(colour_models: Path) -> Iterator[str]:
    """The address of a server of the classifier."""
    with served_locally(colour_models / "both+openvino") as (_, address):
        yield address


@pytest.mark.every
def test_table_shows_the_best_three(url: str, green_image: Path) -> None:
    """Two images -> a line each with the names and percentages, the most probable first."""
    done = run("predict", green_image, green_image, "--url", url)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{green_image}  green ")
    assert next(word for word in lines[0].split() if word in ("red", "green", "blue")) == "green"
    assert lines[0].count("%") == 3


def test_json_lines_hold_file_and_answer(url: str, green_image: Path) -> None:
    """--json -> an object a line: the file and everything that the server answers."""
    done = run("predict", "--json", green_image, "--url", url)
    found = json.loads(done.stdout)
    assert list(found) == ["file", "probabilities", "labels", "predicted_label"]
    assert (found["file"], found["predicted_label"], len(found["probabilities"])) == (str(green_image), "green", 3)


@pytest.mark.every
def test_accept_is_passed_on(url: str, green_image: Path) -> None:
    """--accept application/json -> probabilities alone; without names the table shows indices."""
    plain = run("predict", "--json", "--accept", "application/json", green_image, "--url", url)
    assert list(json.loads(plain.stdout)) == ["file", "probabilities"]
    assert "class 1 " in run("predict", "--accept", "application/json", green_image, "--url", url).stdout
    rejected = run("predict", "--accept", "text/csv", green_image, "--url", url)
    assert rejected.returncode == 1
    assert "rejected with 406: Accept 'text/csv' is not offered." in rejected.stderr


def test_rejected_images_do_not_stop_the_others(url: str, green_image: Path, tmp_path: Path) -> None:
    """A text, a file that is not there, an image -> a sentence for each of the first two, an answer, exit 1."""
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    done = run("predict", "--json", text, tmp_path / "absent.jpg", green_image, "--url", url)
    assert done.returncode == 1
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == [str(green_image)]
    first, second = done.stderr.splitlines()
    assert first.startswith(
        f"UserError: {text}: rejected with 400: The body is not an image of a known format but the text"
    )
    absent = f"UserError: {tmp_path / 'absent.jpg'} cannot be read: No such file or directory."
    assert second == f"{absent} Give image files, or folders of them."


@pytest.fixture(scope="module")
def labelled(green_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders with 23 green images, two of which lie in the folder of another class."""
    folder = tmp_path_factory.mktemp("labelled")
    for name, count in (("green", 21), ("red", 2)):
        (folder / name).mkdir()
        for number in range(count):
            shutil.copy(green_image, folder / name / f"{number:02}.png")
    return folder


def test_class_folders_give_the_accuracy(url: str, labelled: Path, tmp_path: Path) -> None:
    """Given a folder of class folders -> one line per image, recall by class, the matrix, accuracy and its baseline."""
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


def test_errors_are_red_on_a_terminal_and_plain_on_request(green_image: Path, tmp_path: Path) -> None:
    """Given a file that is not there -> "Error:" in red on a terminal, without an escape sequence under NO_COLOR."""
    command = [ROOT / "scripts" / "predict", tmp_path / "absent.jpg"]
    for variables, is_red in ((dict[str, str](), True), ({"NO_COLOR": "1"}, False)):
        with pseudo_terminal.running(command, columns=200, variables=variables) as terminal:
            assert terminal.exit_code() == 1
            assert f"Error: {tmp_path / 'absent.jpg'} cannot be read: No such file or directory." in terminal.text
            assert ("\x1b[1;31mError:" in terminal.raw) == is_red


def test_no_server_is_said(green_image: Path) -> None:
    """Nothing listens at the address -> exit 3 and one sentence that says how to start a server."""
    done = run("predict", green_image, "--url", f"http://127.0.0.1:{free_port()}/invocations")
    assert done.returncode == 3
    assert done.stderr.startswith("PlatformError: No server answers as expected at http://127.0.0.1:")
    assert "scripts/serve-locally starts one" in done.stderr
    assert len(done.stderr.splitlines()) == 1
