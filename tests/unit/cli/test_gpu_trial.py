"""The trial of an image on a GPU, with a program in Docker's place that answers as a machine with a GPU would."""

import json
import os
import sys
from pathlib import Path

import pytest

from tools.gpu_check import gpu_check
from tools.gpu_check.gpu_containers import NoGpuError, reject_machine_without_gpu

# In Docker's place: plays the engine, an image and its containers from answers in a file, and notes what it was asked.
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
    """A folder on PATH with the program in Docker's place; the engine counts as another machine's."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}{FAKE_DOCKER}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    return program.parent


def try_it(play: Path, answers: dict[str, list[object]]) -> tuple[int, dict[str, object]]:
    """Run the command on few photographs; return its exit code and the JSON it wrote, if any."""
    (play / "play.json").write_text(json.dumps({**GOOD, **answers}))
    output = play / "found" / "report.json"
    code = gpu_check.main(["some:gpu", "--images", "4", "--output", str(output)])
    return code, json.loads(output.read_text()) if output.exists() else {}


def test_good_gpu_passes_with_every_figure(play: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given answers of a sound GPU -> exit code 0, a table with devices, speeds, differences and memory, and JSON."""
    code, found = try_it(play, {})
    shown = capsys.readouterr().out
    assert code == 0, shown
    assert (found["passed"], found["image_id"], found["commit"]) == (True, "sha256:1", "0123abc")
    for text in ("NVIDIA A10G (22.5 GiB", "1.5 s an epoch", "50 at 1", "3 MiB while", "at most 900 MiB", "|Δp| 0.01 "):
        assert text in shown
    asked = (play / "asked").read_text()
    assert asked.count("--gpus=all") == 7
    assert asked.count("--network=none") == 7
    assert "DRY RUN" not in shown


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
    code, found = try_it(play, answers)
    shown = capsys.readouterr().out
    assert code == 1
    assert found["passed"] is False
    assert f"FAILED  {row}" in shown


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"probe": probe([])}, "TensorFlow uses no GPU. WARNING: no device"),
        ({"train": [1, "", "UserError: no space"]}, "ended with 1: UserError: no space"),
    ],
)
def test_step_that_ends_the_trial_is_in_the_report(play: Path, answers: dict[str, list[object]], reason: str) -> None:
    """Given a step without which the rest makes no sense -> exit code 1, and the report has the reason."""
    code, found = try_it(play, answers)
    assert code == 1
    rows = found["rows"]
    assert isinstance(rows, list)
    assert reason in rows[-1]["found"]


def test_docker_without_a_gpu_to_give(play: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given an engine without NVIDIA's toolkit -> exit code 2, `no GPU`, and no report."""
    rejected = 'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]]'
    assert try_it(play, {"probe": [125, "", rejected]}) == (2, {})
    assert "no GPU: Docker has no GPU to give" in capsys.readouterr().err


def test_missing_image_names_the_command_that_builds_it(play: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given no such image -> exit code 1 and one sentence with the remedy."""
    assert try_it(play, {"image inspect": [1, "", "No such image"]}) == (1, {})
    assert "scripts/build --target gpu --tag some:gpu" in capsys.readouterr().err


def test_silent_engine_is_explained(play: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given an engine that does not answer -> exit code 1 and what docker says."""
    assert try_it(play, {"image inspect": [1, "", "Cannot connect to the Docker daemon"]}) == (1, {})
    assert "Cannot connect to the Docker daemon" in capsys.readouterr().err


def test_missing_docker_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a PATH without docker -> exit code 1 and one sentence, also for the dry run."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_check.main(["some:cpu", "--device", "cpu"]) == 1
    assert capsys.readouterr().err.startswith("PlatformError: There is no docker on PATH. Install Docker")


@pytest.mark.parametrize("name", ["dev/nvidia0", "proc/driver/nvidia/gpus", "dev/dxg"])
def test_machine_with_a_gpu_is_not_rejected(tmp_path: Path, name: str) -> None:
    """What a driver shows -> accepted; nothing and a local engine -> rejected; an engine elsewhere -> accepted."""
    with pytest.raises(NoGpuError, match="no NVIDIA device"):
        reject_machine_without_gpu(tmp_path, {"DOCKER_HOST": "unix:///run/docker.sock"})
    reject_machine_without_gpu(tmp_path, {"DOCKER_HOST": "ssh://gpu-machine"})
    (tmp_path / name).mkdir(parents=True)
    reject_machine_without_gpu(tmp_path, {})
    assert (tmp_path / name).exists()


def test_only_an_earlier_report_is_replaced(play: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of the user's as --output -> exit 1 before anything is tried, as it was; an earlier report -> replaced."""
    mine = play / "found" / "report.json"
    mine.parent.mkdir()
    mine.write_text('{"image": "mine"}')
    code, found = try_it(play, {})
    assert (code, found) == (1, {"image": "mine"})
    assert "exists and is not a report that this program wrote" in capsys.readouterr().err
    mine.unlink()
    assert [try_it(play, {})[0] for _ in range(2)] == [0, 0]
