"""The check of a GPU, with a fake Docker that answers as a machine with a GPU would."""

import json
import os
import sys
from pathlib import Path

import pytest

from tools.gpu_check import gpu_check
from tools.gpu_check.environments import HERE, NoGpuError, reject_machine_without_gpu

# Plays the engine, an image and its containers from answers in a file, and records its arguments.
FAKE_DOCKER = """
import json, pathlib, sys
here = pathlib.Path(__file__).parent
play, words = json.loads((here / "play.json").read_text()), sys.argv[1:]
with (here / "asked").open("a") as asked:
    asked.write(" ".join(words) + "\\n")
what = " ".join(words[:2]) if words[0] == "image" else words[0]
if words[0] == "run":
    what = "probe" if "probe" in words else "measure" if "measure" in words else "train"
    if what == "measure":
        what += " " + words[words.index("--device") + 1] + " " + words[words.index("--precision") + 1]
code, out, err = play[what]
print(out)
print(err, file=sys.stderr)
sys.exit(code)
"""
LOG = """Devices: 4 CPUs, 1 GPU: NVIDIA A10G
- Average training duration per epoch: 1.5
GPU 0: at most 900 MiB of memory used
"""


def probe(gpus: list[str], complaint: str | None = None) -> list[object]:
    """Return what `gpu_check probe` prints in the image."""
    found = {"tensorflow": "2.21.0", "cpus": 4, "gpus": gpus, "driver": "550.1", "lines": ["WARNING: no device"]}
    return [0, json.dumps({**found, "complaint": complaint, "libraries": {"libcudart.so.12": "/a"}}), ""]


def measurement(probability: float, peak: int | None = 3 << 20) -> list[object]:
    """Return what `gpu_check measure` prints in the image."""
    rows = [[probability, 1 - probability], [0.25, 0.75]]
    return [0, json.dumps({"probabilities": rows, "images_per_second": {"1": 50.0}, "peak_memory": peak}), ""]


LABELS = {"org.opencontainers.image.revision": "0123abc"}
INSPECTED = {"Id": "sha256:1", "Created": "2026", "Architecture": "amd64", "Config": {"Labels": LABELS}}
GOOD = {
    "image inspect": [0, json.dumps([INSPECTED]), ""],
    "probe": probe(["NVIDIA A10G (22.5 GiB, compute capability 8.6)"]),
    "train": [0, LOG, ""],
    "measure gpu float32": measurement(0.9),
    "measure gpu tf32": measurement(0.9004),
    "measure gpu float16": measurement(0.91),
    "measure cpu float32": measurement(0.9, None),
}


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with the fake Docker, whose engine counts as remote."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}{FAKE_DOCKER}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    return program.parent


def check_gpu(play: Path, answers: dict[str, list[object]]) -> tuple[int, dict[str, object]]:
    """Run the command on few photographs; return its exit code and the JSON it wrote, if any."""
    (play / "play.json").write_text(json.dumps({**GOOD, **answers}))
    output = play / "found" / "report.json"
    code = gpu_check.main(["some:gpu", "--images", "4", "--output", str(output)])
    return code, json.loads(output.read_text()) if output.exists() else {}


@pytest.mark.every
def test_good_gpu_passes_with_every_figure(play: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given the answers of a working GPU -> exit code 0, a table with every figure, and JSON."""
    code, found = check_gpu(play, {})
    shown = capsys.readouterr().out
    assert code == 0, shown
    assert (found["passed"], found["image_id"], found["commit"]) == (True, "sha256:1", "0123abc")
    for text in ("NVIDIA A10G (22.5 GiB", "1.5 s an epoch", "50 at 1", "3 MiB while", "at most 900 MiB", "|Δp| 0.01 "):
        assert text in shown
    asked = (play / "asked").read_text()
    assert asked.count("--gpus=all") == 7
    assert asked.count("--network=none") == 7
    assert "DRY RUN" not in shown


@pytest.mark.every
@pytest.mark.parametrize(
    ("answers", "row"),
    [
        ({"probe": probe(["A"], "TensorFlow cannot open libnccl.so.2 (gone)")}, "CUDA libraries"),
        ({"measure cpu float32": measurement(0.8)}, "float32 against CPU"),
        ({"measure gpu float16": measurement(0.9)}, "float16 against float32"),
        ({"measure gpu float16": measurement(float("nan"))}, "float16 against float32"),
        ({"train": [0, "Devices: 4 CPUs, no GPU", ""]}, "training, head only"),
    ],
)
def test_what_fails_is_marked(
    play: Path, capsys: pytest.CaptureFixture[str], answers: dict[str, list[object]], row: str
) -> None:
    """Given one bad answer -> exit code 1 and FAILED before that finding."""
    code, found = check_gpu(play, answers)
    shown = capsys.readouterr().out
    assert code == 1
    assert found["passed"] is False
    assert f"FAILED  {row}" in shown


@pytest.mark.every
@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"probe": probe([])}, "TensorFlow uses no GPU. WARNING: no device"),
        ({"train": [1, "", "UserError: no space"]}, "exited with code 1: UserError: no space"),
    ],
)
def test_failed_step_is_in_the_report(play: Path, answers: dict[str, list[object]], reason: str) -> None:
    """Given a failed step on which the others depend -> exit code 1, and the report has the reason."""
    code, found = check_gpu(play, answers)
    assert code == 1
    rows = found["rows"]
    assert isinstance(rows, list)
    assert reason in rows[-1]["found"]


def test_docker_without_a_gpu_to_give(play: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given an engine without NVIDIA's toolkit -> exit code 2, `no GPU`, and no report."""
    rejected = 'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]]'
    assert check_gpu(play, {"probe": [125, "", rejected]}) == (2, {})
    assert "no GPU: Docker has no GPU to give" in capsys.readouterr().err


def test_missing_image_names_the_command_that_builds_it(play: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given no such image -> exit code 1 and one sentence with the remedy."""
    assert check_gpu(play, {"image inspect": [1, "", "No such image"]}) == (1, {})
    assert "scripts/build --target gpu --tag some:gpu" in capsys.readouterr().err


def test_silent_engine_is_explained(play: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given an engine that does not answer -> exit code 1 and what docker says."""
    assert check_gpu(play, {"image inspect": [1, "", "Cannot connect to the Docker daemon"]}) == (1, {})
    assert "Cannot connect to the Docker daemon" in capsys.readouterr().err


def test_missing_docker_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a PATH without docker -> exit code 1 and one sentence, also for the dry run."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_check.main(["some:cpu", "--device", "cpu"]) == 1
    assert capsys.readouterr().err.startswith("PlatformError: docker is not on PATH. Install Docker")


@pytest.mark.parametrize("name", ["dev/nvidia0", "proc/driver/nvidia/gpus", "dev/dxg"])
def test_machine_with_a_gpu_is_not_rejected(tmp_path: Path, name: str) -> None:
    """Given a device of the driver, or a remote engine -> accepted; given neither -> rejected."""
    with pytest.raises(NoGpuError, match="no NVIDIA device"):
        reject_machine_without_gpu(tmp_path, {"DOCKER_HOST": "unix:///run/docker.sock"})
    reject_machine_without_gpu(tmp_path, {"DOCKER_HOST": "ssh://gpu-machine"})
    (tmp_path / name).mkdir(parents=True)
    reject_machine_without_gpu(tmp_path, {})
    assert (tmp_path / name).exists()


@pytest.mark.every
def test_only_an_earlier_report_is_replaced(play: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a file of the user as --output -> exit code 1, unchanged; given an earlier report -> replaced."""
    mine = play / "found" / "report.json"
    mine.parent.mkdir()
    mine.write_text('{"image": "mine"}')
    code, found = check_gpu(play, {})
    assert (code, found) == (1, {"image": "mine"})
    assert "exists and is not a report written by this program" in capsys.readouterr().err
    mine.unlink()
    assert [check_gpu(play, {})[0] for _ in range(2)] == [0, 0]


@pytest.mark.every
@pytest.mark.slow
def test_environment_is_checked_without_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given --here on the CPU and no docker on PATH -> the same steps and figures as for an image, all passing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    output = tmp_path / "report.json"
    few = ["--images", "8", "--batch-sizes", "1", "2", "--seconds", "0.1", "--output", str(output)]
    assert gpu_check.main(["--here", "--device", "cpu", *few]) == 0
    found = json.loads(output.read_text())
    assert (found["passed"], found["dry_run"], found["image"], found["image_id"]) == (True, True, HERE, sys.executable)
    assert {"training, head only", "training, whole network", "answers, float16"} <= set(found["figures"])
    assert found["figures"]["answers, float32"]["images_per_second"]["2"] > 0


def test_image_or_environment_is_checked_but_not_both(capsys: pytest.CaptureFixture[str]) -> None:
    """Given neither an image nor --here, or both -> the usage error of the parser."""
    for words in ([], ["some:gpu", "--here"]):
        with pytest.raises(SystemExit):
            gpu_check.main(words)
        assert "--here" in capsys.readouterr().err
