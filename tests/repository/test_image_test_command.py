"""What scripts/test-image builds and runs, with stand-ins for Docker, the builds and pytest."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repository.project import ROOT

COMMANDS = ("docker-compose", "docker-registry", "chromium", "pgrep")
"""What is installed where it is missing."""
DISK = "#!/bin/sh\necho Avail\necho ${FREE_KB:-90000000}\n"
RECORDER = '#!/bin/sh\necho "{name} $*" >>"$RECORD"\n'
PYTHON = """#!/bin/sh
case "$*" in *pytest*) echo "pytest $* gpu=$IMAGE_CLASSIFIER_GPU_IMAGE left_out=$IMAGE_CLASSIFIER_GPU_IMAGE_LEFT_OUT" \
>>"$RECORD"; WAIT; exit ${CODE:-0} ;; esac
"""
"""WAIT stands for what the tests do meanwhile."""
WAITING = 'until [ -e "$IMAGE_CLASSIFIER_TEST_BUILDS/{target}.failed" ]; do sleep 0.05; done; echo told'
"""The tests wait for the end of a build."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The script and what it reads, with stand-ins for everything that it starts."""
    text = (ROOT / "scripts" / "test-image").read_text(encoding="utf-8")
    for name in ("scripts/test-image", *text.partition("GPU_INPUTS=(")[2].partition(")")[0].split()):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    stands_in(tmp_path / "scripts" / "setup", "#!/bin/sh\n")
    stands_in(tmp_path / "scripts" / "build", RECORDER.format(name="build"))
    stands_in(tmp_path / ".venv" / "bin" / "python", PYTHON.replace("WAIT", ":"))
    for name in COMMANDS:
        stands_in(tmp_path / "bin" / name, "#!/bin/sh\n")
    stands_in(tmp_path / "bin" / "docker", "#!/bin/sh\n")
    stands_in(tmp_path / "bin" / "df", DISK)
    return tmp_path


def stands_in(path: Path, text: str) -> None:
    """Write a command."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def run(clone: Path, *words: str, **variables: str) -> tuple[int, list[str], str]:
    """Run the script; return its exit code, what it has started, line by line, and what it printed."""
    record = clone / "record"
    record.write_text("")
    settings = {**os.environ, "PATH": f"{clone / 'bin'}:{os.environ['PATH']}", "RECORD": str(record)}
    done = subprocess.run(
        [clone / "scripts" / "test-image", *words],
        env={**settings, "BASE_IMAGE": "base", "TMPDIR": str(clone), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, record.read_text().splitlines(), done.stdout + done.stderr


def targets(started: list[str]) -> list[str]:
    """Return which images were built, sorted: one of them in the background."""
    return sorted(line.split()[2] for line in started if line.startswith("build"))


def parts(started: list[str]) -> list[str]:
    """Return pytest's calls."""
    return [line for line in started if line.startswith("pytest")]


def test_first_run_builds_and_tests_everything(clone: Path) -> None:
    """Given a fresh clone -> three images; the gpu image is named only for the second part, which is not parallel."""
    code, started, _ = run(clone)
    assert code == 0
    assert targets(started) == ["cpu", "gpu", "serve"]
    first, second = parts(started)
    assert "-m not alone and not gpu and not every --numprocesses 2" in first
    assert first.endswith("gpu= left_out=")
    assert "-m (alone or gpu) and not every" in second
    assert "--numprocesses" not in second
    assert second.endswith("gpu=image-classifier-test:gpu left_out=")


def test_tested_gpu_image_is_not_built_again(clone: Path) -> None:
    """Given a run that has passed -> the next one skips the gpu build and says why, until an input changes."""
    run(clone)
    _, started, said = run(clone)
    assert targets(started) == ["cpu", "serve"]
    assert "The gpu image was not built: what it is made of is as it was when it was last tested" in said
    assert all("left_out=the gpu image was not built" in line for line in parts(started))
    with (clone / "requirements.txt").open("a") as lock:
        lock.write("# one more line\n")
    assert targets(run(clone)[1]) == ["cpu", "gpu", "serve"]


def test_all_builds_and_tests_everything_again(clone: Path) -> None:
    """Given --all after a run that has passed -> the gpu image is built, and no test is left out."""
    run(clone)
    _, started, _ = run(clone, "--all")
    assert targets(started) == ["cpu", "gpu", "serve"]
    assert not any("not every" in line or "--all" in line for line in started)


@pytest.mark.parametrize(("words", "code"), [(("-k", "page"), "0"), ((), "1")], ids=["some", "failed"])
def test_only_a_whole_run_that_passed_counts(clone: Path, words: tuple[str, ...], code: str) -> None:
    """Given some of the tests, or a failure -> pytest's exit code, and the next run builds the gpu image again."""
    found, started, _ = run(clone, *words, CODE=code)
    assert found == int(code)
    assert all(" ".join(words) in line for line in parts(started))
    assert "gpu" in targets(run(clone)[1])


def test_no_test_chosen_is_a_failure(clone: Path) -> None:
    """Given options by which neither part has a test -> pytest's exit code for that."""
    assert run(clone, "-k", "absent", CODE="5")[0] == 5


def test_small_disk_leaves_the_gpu_image_out(clone: Path) -> None:
    """Given 20 GB of free disk -> no gpu build, and the reason names both sizes."""
    _, started, said = run(clone, FREE_KB="20000000")
    assert targets(started) == ["cpu", "serve"]
    assert "20 GB are free, 30 are needed" in said


@pytest.mark.parametrize("target", ["serve", "cpu"])
def test_failed_build_is_said_to_the_tests_and_at_the_end(clone: Path, target: str) -> None:
    """Given an image that does not build -> the tests find a file that says so; exit code 1 and its last lines."""
    failing = f'case "$*" in *"--target {target}"*) echo no such package; exit 1 ;; esac\n'
    stands_in(clone / "scripts" / "build", RECORDER.format(name="build") + failing)
    stands_in(clone / ".venv" / "bin" / "python", PYTHON.replace("WAIT", WAITING.format(target=target)))
    code, started, said = run(clone)
    assert code == 1
    assert len(parts(started)) == 1
    assert "told" in said
    assert f"no such package\nscripts/test-image: the {target} image does not build" in said


def test_failed_gpu_build_fails_the_run(clone: Path) -> None:
    """Given a gpu build that fails while tests run -> exit code 1 and its last lines."""
    failing = 'case "$*" in *"--target gpu"*) echo no space left; exit 1 ;; esac\n'
    stands_in(clone / "scripts" / "build", RECORDER.format(name="build") + failing)
    code, started, said = run(clone)
    assert code == 1
    assert len(parts(started)) == 1
    assert "no space left" in said
    assert "the gpu image does not build" in said
