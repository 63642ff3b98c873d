"""The commands of docs/guides/launch.md and registry.md, and the file, are parsed as the programs parse them."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from image_classifier.cli.launch import __main__ as launch
from image_classifier.cli.launch import arguments
from image_classifier.cloud.sagemaker import options
from image_classifier.runners import experiment
from tests.support.guides import GUIDES

TEXT = (GUIDES / "launch.md").read_text(encoding="utf-8")
TEXTS = f"{TEXT}\n{(GUIDES / 'registry.md').read_text(encoding='utf-8')}"
_SAY_IT_ALL = ("images",)
"""Arguments that their names explain."""
COMMANDS = sorted(set(re.findall(r"^scripts/launch (.+)$", TEXTS, re.MULTILINE)))


def test_guide_shows_every_verb() -> None:
    """Given the verbs of scripts/launch -> the guide has a command of each."""
    assert {command.split()[0] for command in COMMANDS} == set(launch.VERBS)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_accepted(command: str) -> None:
    """Given a command of the guide -> its verb's parser accepts it."""
    assert launch.parser().parse_args(shlex.split(command)).verb == command.split()[0]


@pytest.mark.parametrize("verb", launch.VERBS)
def test_help_of_each_verb_is_complete(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Given --help -> what the verb does, a text for each flag with its choices, and examples that it accepts."""
    with pytest.raises(SystemExit) as ended:
        launch.main([verb, "--help"])
    assert ended.value.code == 0
    text, summary = " ".join(capsys.readouterr().out.split()), launch.VERBS[verb].SUMMARY
    assert f"{summary[0].upper()}{summary[1:]}." in text
    examples = re.findall(r"^  scripts/launch (.+?)(?: {3,}.*)?$", launch.VERBS[verb].EXAMPLES, re.MULTILINE)
    assert len(examples) >= 1
    for example in examples:
        assert launch.parser().parse_args(shlex.split(example)).verb == verb
    own = argparse.ArgumentParser()
    launch.VERBS[verb].add_arguments(own)
    assert [action.dest for action in own._actions if not action.help and action.dest not in _SAY_IT_ALL] == []


def test_help_names_what_a_flag_takes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an option with a list of values, and one that is on or off -> the values, and which is the default."""
    # Narrow terminals break a line at a hyphen.
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit):
        launch.main(["deploy", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "one of real-time, serverless, asynchronous, multi-model (default: real-time)" in text
    assert "Whether the container has no network (default: on)" in text


def test_flags_of_the_tables_exist() -> None:
    """Given the flags that the guide's text names -> some verb has each of them."""
    helps = " ".join(action for verb in launch.VERBS.values() for action in _flags(verb.add_arguments))
    named = set(
        re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"^(scripts/(?!launch)|aws ).*$", "", TEXTS, flags=re.MULTILINE))
    )
    assert [flag for flag in named - {"--help"} if flag not in helps.split()] == []


def _flags(add: object) -> list[str]:
    parser = argparse.ArgumentParser()
    assert callable(add)
    add(parser)
    return [flag for action in parser._actions for flag in action.option_strings]


def test_job_file_is_valid(tmp_path: Path) -> None:
    """Given the guide's job.toml -> an experiment whose options are all known and sufficient."""
    found = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert found
    (tmp_path / "job.toml").write_text(found[1])
    asked_for = experiment.read(tmp_path / "job.toml")
    assert options.missing(options.parse(asked_for.options[experiment.SAGEMAKER])) == []
    assert arguments.merged(asked_for.options[experiment.SAGEMAKER], {})["region"] == "eu-west-1"
