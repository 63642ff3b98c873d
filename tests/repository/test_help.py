"""--help of the commands: at once, without effect, and with examples; scripts/help names every one of them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
COMMANDS = sorted(path.name for path in SCRIPTS.iterdir() if path.is_file())
IN_BASH = ["check", "demo", "fix", "help", "lock", "setup", "test", "test-image"]
"""Those that make or change something before, or without, any Python of the project."""


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("name", IN_BASH)
def test_help_needs_nothing_and_changes_nothing(tmp_path: Path, name: str, option: str) -> None:
    """Given a folder with nothing but the scripts, and PATH alone -> the text, exit 0, and the folder is as it was."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [tmp_path / "scripts" / name, option],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(tmp_path.rglob("*")) == before
    if name != "help":
        assert done.stdout.startswith(f"usage: scripts/{name}")
        examples = done.stdout.split("examples:\n")[1].splitlines()
        assert len(examples) == 2
        assert all(line.startswith(f"  scripts/{name}") or f" scripts/{name}" in line for line in examples)


def test_help_lists_every_command_on_one_screen() -> None:
    """Given scripts/help -> at most 40 lines of at most 100 columns, in which every command stands."""
    done = subprocess.run([SCRIPTS / "help"], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    named = set(re.findall(r"scripts/([a-z-]+)", done.stdout))
    assert named == set(COMMANDS) - {"help"}
