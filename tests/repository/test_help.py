"""--help of the commands: instant, without effect, with examples; scripts/help lists every one of them."""

import argparse
import contextlib
import functools
import importlib
import io
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.representatives import some_of

SCRIPTS = Path(__file__).parents[2] / "scripts"
COMMANDS = sorted(path.name for path in SCRIPTS.iterdir() if path.is_file())
_RUN = re.compile(r'/python-command" (\S+) "')
MODULES = {name: found[1] for name in COMMANDS if (found := _RUN.search((SCRIPTS / name).read_text()))}
"""Commands that need the environment of scripts/setup for everything but a short --help, and what they run."""
IN_PYTHON = list(MODULES)
STARTED = {"launch", "predict", "train-locally", *(set(COMMANDS) - set(MODULES))}
"""Commands whose long help a default run asks for as users do: a package, two modules, and all that are not Python."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone that has the scripts and no environment, which no test changes."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(SCRIPTS, folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run_in_fresh_clone(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of a clone, with the system's programs alone."""
    command = [str(clone / "scripts" / words[0]), *words[1:]]
    variables = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_needs_nothing_and_changes_nothing(clone: Path, name: str, option: str) -> None:
    """Given a fresh clone without .venv -> the usage, exit code 0, and the clone is unchanged."""
    before = sorted(clone.rglob("*"))
    done = run_in_fresh_clone(clone, name, option)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(clone.rglob("*")) == before
    if name in IN_PYTHON:
        assert done.stdout.startswith(f"usage: scripts/{name} [--help] ...\n\n")
        purpose, _, setup = done.stdout.splitlines()[2:]
        assert purpose.endswith(".")
        assert "scripts/setup" in setup
    elif name != "help":
        assert done.stdout.startswith(f"usage: scripts/{name}")
        examples = done.stdout.split("examples:\n")[1].splitlines()
        assert len(examples) == 2
        assert all(line.startswith(f"  scripts/{name}") or f" scripts/{name}" in line for line in examples)


@pytest.mark.parametrize("name", IN_PYTHON)
def test_command_without_environment_names_its_remedy(clone: Path, name: str) -> None:
    """Given a fresh clone and any other word -> exit code 1 and one line that names scripts/setup; nothing is made."""
    done = run_in_fresh_clone(clone, name, "word")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"scripts/{name}: .venv does not exist yet. Run scripts/setup first")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in clone.iterdir()] == ["scripts"]


@pytest.mark.parametrize("name", some_of((name for name in COMMANDS if name != "help"), STARTED))
def test_help_ends_with_two_examples(name: str) -> None:
    """Given --help of each command -> exit code 0, and two examples at its end."""
    done = subprocess.run([SCRIPTS / name, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert_two_examples(name, done.stdout)


@pytest.mark.parametrize("name", MODULES)
def test_help_of_the_module_ends_with_two_examples(name: str) -> None:
    """Given --help to what each command in Python runs -> exit code 0, and two examples at its end."""
    assert_two_examples(name, help_of(name))


@functools.cache
def help_of(name: str) -> str:
    """Return what a command in Python prints at --help, in this process."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        main_of(name)(["--help"])
    assert (ended.value.code, errors.getvalue()) == (0, "")
    return output.getvalue()


def main_of(name: str) -> Callable[[list[str]], int]:
    """Return what a command in Python calls with its arguments."""
    module = importlib.import_module(MODULES[name])
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"{MODULES[name]}.__main__")
    main: Callable[[list[str]], int] = module.main
    return main


def assert_two_examples(name: str, text: str) -> None:
    """Hold a help text against the rule for its examples."""
    assert len(examples_of(text)) == 2
    assert all(f"scripts/{name}" in line for line in examples_of(text))


def examples_of(text: str) -> list[str]:
    """Return the lines of the examples, which end with the text or with an empty line."""
    return text.split("\nexamples:\n")[1].split("\n\n")[0].splitlines()


OF_ONE_PARSER = sorted(set(MODULES) - {"audit", "console", "evaluate", "launch"})
"""Commands whose examples their first parser takes whole, before anything else happens."""


@pytest.mark.parametrize("name", OF_ONE_PARSER)
def test_examples_are_understood(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the arguments of each example -> the command's own parser accepts them."""
    parsed: list[argparse.Namespace] = []

    class Parsed(Exception):  # noqa: N818 - ends the command where its work would begin
        pass

    def stop(parser: argparse.ArgumentParser, words: list[str], *_: object) -> None:
        found, rest = parser.parse_known_args(words)
        assert rest == []
        parsed.append(found)
        raise Parsed

    text = help_of(name)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_intermixed_args", stop)
    for line in examples_of(text):
        with pytest.raises(Parsed):
            main_of(name)(shlex.split(line)[1:])
    assert len(parsed) == 2


def test_help_lists_every_command_on_one_screen() -> None:
    """Given scripts/help -> at most 40 lines of at most 100 columns that name every command."""
    done = subprocess.run([SCRIPTS / "help"], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    named = set(re.findall(r"scripts/([a-z-]+)", done.stdout))
    assert named == set(COMMANDS) - {"help"}


@pytest.mark.parametrize("name", ["setup", "check", "fix", "lock"])
def test_words_that_a_command_does_not_take_are_rejected(clone: Path, name: str) -> None:
    """A misspelt option of a command without any, or with few -> exit code 2 and one sentence; nothing is done."""
    done = run_in_fresh_clone(clone, name, "--upgarde")
    assert done.returncode == 2
    assert done.stderr.startswith(f"scripts/{name}: ")
    assert "--upgarde; see --help." in done.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(
    ("given", "used"),
    [("", ":backslashreplace"), ("ascii", "ascii:backslashreplace"), ("ascii:strict", "ascii:strict")],
)
def test_text_that_the_terminal_lacks_is_escaped(tmp_path: Path, given: str, used: str) -> None:
    """A command in Python under any encoding of the terminal -> Python escapes what that lacks, unless forbidden."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$PYTHONIOENCODING"\n')
    python.chmod(0o755)
    variables = {"PATH": "/usr/bin:/bin", **({"PYTHONIOENCODING": given} if given else {})}
    command = [tmp_path / "scripts" / "models"]
    assert subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout == f"{used}\n"


def test_help_of_a_command_is_its_own(clone: Path) -> None:
    """scripts/help with a command -> its --help; with another word -> one sentence."""
    assert run_in_fresh_clone(clone, "help", "lock").stdout.startswith("usage: scripts/lock")
    done = run_in_fresh_clone(clone, "help", "nosuch")
    assert (done.returncode, done.stderr) == (2, "scripts/help: nosuch is not a command; scripts/help lists them.\n")


@pytest.mark.parametrize("name", ["nosuch", "serving.nosuch", "../conftest"])
def test_benchmark_that_does_not_exist_is_said(name: str) -> None:
    """A mistyped name -> exit code 2 and one sentence."""
    done = subprocess.run([SCRIPTS / "benchmark", name], capture_output=True, text=True, timeout=60, check=False)
    expected = f"scripts/benchmark: {name} is not a benchmark; scripts/benchmark --help lists them.\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
