"""Words after a verb of the Docker image."""

import subprocess
import sys

import pytest

from image_classifier import PROGRAM
from image_classifier.contract import verbs


@pytest.mark.parametrize("verb", verbs.VERBS)
@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_is_answered(verb: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Given --help after a verb -> its usage, what it does, where its settings are, and two examples of it."""
    assert verbs.answered(verb, ["x", word])
    said = capsys.readouterr()
    assert said.out.startswith(f"usage: docker run IMAGE {verb}\n")
    examples = said.out.split("examples:\n")[1].splitlines()
    assert len(examples) == 2
    assert all(line.startswith("  docker run ") and line.endswith(f" IMAGE {verb}") for line in examples)
    assert said.err == ""


@pytest.mark.parametrize("verb", verbs.VERBS)
def test_words_that_nothing_reads_are_named(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Given other words after a verb -> one warning that says where settings are read; no words -> none."""
    assert not verbs.answered(verb, ["epochs=3", "--port", "9000"])
    said = capsys.readouterr()
    assert said.err == f"WARNING: Not read: 'epochs=3 --port 9000'. {verbs.VERBS[verb].settings}\n"
    assert not verbs.answered(verb, [])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verb", verbs.VERBS)
def test_entry_point_answers(verb: str) -> None:
    """Given the entry point of each verb with --help -> the usage, exit code 0, and nothing is trained or served."""
    done = subprocess.run(
        [sys.executable, PROGRAM / verb, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: docker run IMAGE {verb}\n")
