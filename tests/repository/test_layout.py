import os
import subprocess
from pathlib import Path

import pytest

from tests.repository.project import ROOT, tracked_files

TOP_LEVEL = {
    *("Dockerfile", "docker", "container", "tests", "scripts", "requirements.txt", "README.md"),
    *("CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "NOTICE", "SECURITY.md", "pyproject.toml", "docs"),
}
COMMANDS = sorted(path for path in tracked_files() if path.parent == ROOT / "scripts")


def test_top_level_holds_what_the_reading_order_names() -> None:
    """Given a fresh clone -> its top level is the agreed list and files that begin with a dot."""
    found = {path.relative_to(ROOT).parts[0] for path in tracked_files()}
    assert {name for name in found if not name.startswith(".")} == TOP_LEVEL


@pytest.mark.parametrize("command", COMMANDS, ids=lambda path: path.name)
def test_every_command_can_be_started(command: Path) -> None:
    """Given a file in scripts/ -> it is executable, says by its first line what runs it, and has no suffix."""
    assert os.access(command, os.X_OK)
    assert command.read_text(encoding="utf-8").startswith("#!/usr/bin/env ")
    assert command.suffix == ""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda path: path.name)
def test_every_shell_command_parses(command: Path) -> None:
    """Given a shell script in scripts/ -> bash reads it to its end, and it stops at the first failure."""
    text = command.read_text(encoding="utf-8")
    if "bash" in text.splitlines()[0]:
        assert subprocess.run(["bash", "-n", command], check=False).returncode == 0
        assert "set -euo pipefail" in text
    else:
        assert "python" in text.splitlines()[0]


def test_nothing_of_one_machine_is_written_down() -> None:
    """Given every text of the project -> none names a folder of a developer's machine or a package registry's host."""
    # Put together here, so that this file does not find itself.
    folders = ("/ro" + "ot/", "/ho" + "me/", "/wo" + "rk/")
    hosts = ("py" + "pi.org", "python" + "hosted.org", "deb." + "debian.org", "npm" + "js.org")
    found = []
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {word}" for word in folders + hosts if word in text]
    assert found == []
