"""scripts/setup's installer: uv with pip's settings, and pip where uv fails."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.repository.project import ROOT
from tools import locked_packages
from tools.docker_image import pip_settings

LOCK = """other==1.0 \\
    --hash=sha256:00
uv==0.1.2 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
uvicorn==3.0 \\
    --hash=sha256:cc
"""


class Installers:
    """Plays pip and uv: records each command with its environment, and exits with the codes given by program."""

    def __init__(self, **codes: int) -> None:
        """Start with nothing recorded."""
        self.codes = codes
        self.commands: list[list[str]] = []
        self.environments: list[Mapping[str, str] | None] = []

    def __call__(
        self, command: list[str], *, check: bool, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Record a command."""
        assert not check
        self.commands.append(command)
        self.environments.append(env)
        return subprocess.CompletedProcess(command, self.codes.get("uv" if command[1] == "pip" else "pip", 0))


def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installers: Installers) -> int:
    """Install a lock with the installers."""
    (tmp_path / "lock.txt").write_text(LOCK)
    monkeypatch.setattr(subprocess, "run", installers)
    monkeypatch.setattr(pip_settings, "settings", lambda: {"index-url": "https://index.example/simple"})
    return locked_packages.install([tmp_path / "lock.txt"])


def test_settings_of_pip_reach_uv() -> None:
    """Given pip's settings -> uv's variables, lists in uv's form; a variable that the user set wins."""
    settings = {"index-url": "https://a/simple", "extra-index-url": "https://b https://c", "find-links": "/w /x"}
    found = locked_packages.variables(settings, {"UV_INDEX": "https://mine", "HOME": "/srv/me"})
    assert found["UV_DEFAULT_INDEX"] == "https://a/simple"
    assert found["UV_FIND_LINKS"] == "/w,/x"
    assert found["UV_INDEX"] == "https://mine"
    assert found["HOME"] == "/srv/me"
    assert "SSL_CERT_FILE" not in found


def test_one_package_is_taken_from_a_lock_with_all_its_hashes() -> None:
    """Given a lock -> the pin of the very package and its hashes; of a package that is not there, an error."""
    assert locked_packages.only("uv", LOCK) == "uv==0.1.2 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    with pytest.raises(ValueError, match="no ruff"):
        locked_packages.only("ruff", LOCK)


def test_the_lock_of_development_lists_uv() -> None:
    """Given this repository's lock -> it pins uv with hashes."""
    found = locked_packages.only("uv", (ROOT / "docker" / "requirements-dev.txt").read_text(encoding="utf-8"))
    assert found.count("--hash=sha256:") >= 2


def test_uv_installs_with_hashes_and_the_index_of_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given two working installers -> pip installs uv alone, then uv everything, hashes required, from pip's index."""
    installers = Installers()
    assert installed(monkeypatch, tmp_path, installers) == 0
    assert [command[1] for command in installers.commands] == ["-m", "pip"]
    assert all("--require-hashes" in command and "--no-deps" in command for command in installers.commands)
    environment = installers.environments[1]
    assert environment is not None
    assert environment["UV_DEFAULT_INDEX"] == "https://index.example/simple"


def test_pip_installs_where_uv_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a uv that fails -> a line says so, and pip installs the whole lock with its hashes."""
    installers = Installers(uv=2)
    assert installed(monkeypatch, tmp_path, installers) == 0
    assert "uv could not install them" in capsys.readouterr().err
    assert installers.commands[-1][1:3] == ["-m", "pip"]
    assert f"--requirement={tmp_path / 'lock.txt'}" in installers.commands[-1]
    assert "--require-hashes" in installers.commands[-1]


def test_failed_installation_is_an_exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given a pip that fails -> its exit code, and uv is not tried."""
    installers = Installers(pip=1)
    assert installed(monkeypatch, tmp_path, installers) == 1
    assert len(installers.commands) == 1
