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
COMMANDS = sorted(set(re.findall(r"^scripts/launch (.+)$", TEXTS, re.MULTILINE)))


def test_guide_shows_every_verb() -> None:
    """Given the verbs of scripts/launch -> the guide has a command of each."""
    assert {command.split()[0] for command in COMMANDS} == set(launch.VERBS)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_accepted(command: str) -> None:
    """Given a command of the guide -> its verb's parser accepts it."""
    assert launch.parser().parse_args(shlex.split(command)).verb == command.split()[0]


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
