import shutil
import subprocess
from pathlib import Path

import pytest

from image_classifier import __version__
from tests.repository.project import ROOT
from tests.support.recording_docker import RecordingDocker, put_on_path


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordingDocker:
    """A docker that writes down how it is called, and no proxies."""
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    docker = put_on_path(tmp_path / "bin", monkeypatch)
    docker.has_image()
    return docker


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the command and what it reads, outside any git clone."""
    folder = tmp_path / "clone"
    for name in ("scripts/build", "container/image_classifier/__init__.py", "Dockerfile"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def git(clone: Path, *words: str) -> str:
    """Run git there, without anyone's settings."""
    settings = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", "-C", clone, *settings, *words], check=True, capture_output=True, text=True).stdout


def build(clone: Path, *words: str, code: int = 0) -> str:
    """Run the command and return what it printed."""
    done = subprocess.run([clone / "scripts" / "build", *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_nothing_said_builds_the_gpu_image(clone: Path, docker: RecordingDocker) -> None:
    """Given no options and no git -> the gpu image under its name, the version from the program, commit unknown."""
    printed = build(clone)
    expected = "build --target gpu --tag image-classifier:gpu --label image-classifier.target=gpu"
    assert docker.commands("build") == [
        f"{expected} --build-arg VERSION={__version__} --build-arg COMMIT=unknown {clone}"
    ]
    assert printed == f"image-classifier:gpu: version {__version__}, commit unknown, 123 MB\n"


def test_options_reach_docker(clone: Path, docker: RecordingDocker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a target, a name, a base, an argument, a proxy and words behind -- -> all are in docker's command."""
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy:1")
    options = ["--target", "serve", "--tag", "a:b", "--base", "c:d", "--build-arg", "MODEL_ID=lite0"]
    build(clone, *options, "--", "--network", "host")
    [command] = docker.commands("build")
    assert "--target serve --tag a:b --label image-classifier.target=serve" in command
    for words in ("--build-arg BASE_IMAGE=c:d", "--build-arg MODEL_ID=lite0", "--network host"):
        assert words in command
    # By its name alone: docker takes the value from its environment, and no list of processes shows it.
    assert "--build-arg https_proxy " in command
    assert "secret" not in command


def test_base_is_asked_for_again(clone: Path, docker: RecordingDocker) -> None:
    """Given --pull, before and after other options -> docker pulls the base; without it, the local copy is used."""
    build(clone, "--pull", "--target", "cpu")
    build(clone, "--target", "cpu", "--pull", "--", "--network", "host")
    build(clone, "--target", "cpu")
    assert [" --pull " in command for command in docker.commands("build")] == [True, True, False]


def test_commit_is_the_one_that_was_built(clone: Path, docker: RecordingDocker) -> None:
    """Given a clone as committed, then changed outside and inside the image -> its commit, the same, and -dirty."""
    git(clone, "init", "--quiet")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "first")
    commit = git(clone, "rev-parse", "HEAD").strip()
    found = []
    for name in ("README.md", "container/new.py"):
        build(clone)
        found.append(docker.commands("build")[-1].split("COMMIT=")[1].split()[0])
        (clone / name).write_text("changed")
    build(clone)
    found.append(docker.commands("build")[-1].split("COMMIT=")[1].split()[0])
    assert found == [commit, commit, f"{commit}-dirty"]


def test_folder_in_another_clone_has_no_commit(clone: Path, docker: RecordingDocker) -> None:
    """Given the sources unpacked inside another repository -> the commit is unknown, not that repository's."""
    git(clone.parent, "init", "--quiet")
    git(clone.parent, "commit", "--quiet", "--allow-empty", "--message", "first")
    assert "commit unknown" in build(clone)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--target", "tpu"], "--target is tpu. Choose serve, cpu or gpu."),
        (["--network", "host"], "unknown option --network; see --help"),
        (["--tag"], "--tag needs a value"),
    ],
)
def test_wrong_options_are_named(clone: Path, docker: RecordingDocker, words: list[str], expected: str) -> None:
    """Given an invalid option -> one sentence, and docker is not called."""
    printed = build(clone, *words, code=1)
    assert expected in printed
    assert len(printed.splitlines()) == 1
    assert docker.commands() == []


def test_without_docker(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a machine without docker -> one sentence."""
    few = tmp_path / "few"
    few.mkdir()
    for name in ("bash", "dirname", "env"):
        (few / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(few))
    assert build(clone, code=1) == "scripts/build: docker is not on PATH: install Docker.\n"


def test_help_explains_every_option(clone: Path) -> None:
    """Given --help -> the options are listed, nothing is built."""
    printed = build(clone, "--help")
    for option in ("--target", "--tag", "--base", "--pull", "--build-arg", "--network host"):
        assert option in printed
