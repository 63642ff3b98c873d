"""The commands in docker/ change nothing but what they made themselves."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.repository.project import ROOT
from tests.support import recording_docker


@pytest.mark.parametrize("name", ["stage-backbones", "install-packages"])
def test_command_of_the_dockerfile_does_nothing_elsewhere(name: str) -> None:
    """Given a script that removes files at fixed paths -> outside of a Docker build it stops with one line."""
    done = subprocess.run([ROOT / "docker" / name, "lite0"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"docker/{name}: this is for the Dockerfile, and changes nothing elsewhere.\n"


@pytest.mark.parametrize("kind", ["text", "tar", "link", "folder"])
def test_base_replaces_only_a_base(tmp_path: Path, kind: str) -> None:
    """Given a file, another archive, a link or a folder -> one line, and it is unchanged."""
    (tmp_path / "mine.txt").write_text("mine")
    output = tmp_path / "output"
    if kind == "tar":
        with tarfile.open(output, "w") as tar:
            tar.add(tmp_path / "mine.txt", arcname="./etc/mine.txt")
    elif kind == "link":
        output.symlink_to(tmp_path / "absent")
    elif kind == "folder":
        output.mkdir()
    else:
        output.write_text("mine")
    before = output.read_bytes() if output.is_file() else None
    # The command resolves the name, so a link is named by what it leads to, which is absent: nothing lies there.
    done = subprocess.run(
        [ROOT / "docker" / "make-test-base", output],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{without_debootstrap(tmp_path)}"},
    )
    assert done.returncode == 1
    expected = "could not make Debian 13" if kind == "link" else "is not a base that this command wrote"
    assert expected in done.stderr
    assert (output.read_bytes() if output.is_file() else None) == before
    assert not (tmp_path / "absent").exists()


def without_debootstrap(folder: Path) -> Path:
    """Return a folder for PATH with what the command needs, and a debootstrap that fails."""
    tools = folder / "bin"
    tools.mkdir()
    for name in ("env", "bash", "realpath", "dirname", "mktemp", "rm", "tar", "tail"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    (tools / "debootstrap").write_text("#!/usr/bin/bash\nexit 1\n")
    (tools / "debootstrap").chmod(0o755)
    return tools


@pytest.mark.parametrize("words", [("--model", "run/job"), ("--model=run/job",)])
def test_prediction_in_docker_does_not_start_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Given scripts/predict with --docker and --model -> one line with what to start instead, and no container."""
    docker = recording_docker.put_on_path(tmp_path / "bin", monkeypatch)
    docker.has_image()
    command = [str(ROOT / "scripts" / "predict"), "--docker", "a.jpg", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Start scripts/serve-locally MODEL --docker" in done.stderr
    assert docker.commands("run") == []


def test_settings_of_a_machine_are_not_replaced(tmp_path: Path) -> None:
    """Given a root with an etc/pip.conf -> it is unchanged."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pip.conf").write_text("mine")
    command = [sys.executable, str(ROOT / "scripts" / "tools" / "docker_image" / "pip_settings.py"), str(tmp_path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    assert (tmp_path / "etc" / "pip.conf").read_text() == "mine"
