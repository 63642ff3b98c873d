"""The int8 IR that a job adds: in a child process with real NNCF once, and each way to be left out."""

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier import artifacts
from image_classifier.class_folders.listing import Example, Listing
from image_classifier.inference.openvino_model import nncf_network, precision_record, quantisation
from image_classifier.resources import processors
from image_classifier.training import stopping
from image_classifier.training.export import int8_ir, quantiser
from image_classifier.training.export.child_process import Child, ChildKilled
from image_classifier.training.stopping import StopSignal
from image_classifier.training.trained import Features
from tests.support.waiting import wait_until
from tests.unit.inference import convolutions, planted_methods
from tests.unit.training.export.stand_ins import TrainedStandIn


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a job of 60 training and 210 validation images leaves to the quantisation."""
    folder = tmp_path_factory.mktemp("data")
    info = artifacts.read_model_info(convolutions.write(folder / "model"))
    training, validation = listing(folder / "training", 60, 1), listing(folder / "validation", 210)
    inputs = {"training": training, "validation": validation, "arrays": None, "precision": "off"}
    inputs |= {"expected": None, "probabilities": None}
    return TrainedStandIn(backbone=SimpleNamespace(info=info), **inputs)


def listing(folder: Path, count: int, seed: int = 0) -> Listing:
    """Write images of three colours."""
    folder.mkdir(parents=True)
    examples = []
    for index, (pixels, label) in enumerate(zip(*convolutions.images(count, seed=seed), strict=True)):
        Image.fromarray(pixels).save(folder / f"{index}.png")
        examples.append(Example(folder / f"{index}.png", int(label)))
    return Listing(folder, convolutions.COLOURS, tuple(examples))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A verified model folder with a float32 IR."""
    return convolutions.write(tmp_path / "model")


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test when a process is started."""

    def start(*given: Any) -> None:
        pytest.fail("a process was started")

    monkeypatch.setattr(Child, "__init__", start)


def add(folder: Path, trained: Any, stop: StopSignal) -> bool:
    """Add it as a job does that begins with it here."""
    with int8_ir.beginning(folder, trained, "auto", stop) as found:
        assert found
        return int8_ir.add(folder, found, stop)


def left_out(folder: Path) -> str | None:
    """Return the recorded reason."""
    return precision_record.left_out(artifacts.read_model_info(folder), "int8")


def test_int8_is_added_with_its_figures(folder: Path, trained: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Enough images, one unreadable by now -> quantised before the verification, judged after it; one line says so."""
    trained.validation.examples[0].path.write_bytes(b"no image any more")
    verified = artifacts.read_model_info(folder)
    artifacts.write_model_info(folder, replace(verified, extra={**verified.extra, "verified": False}))
    with int8_ir.beginning(folder, trained, "auto", StopSignal()) as begun:
        assert begun
        int8_ir.begin(folder, artifacts.read_model_info(folder), begun, StopSignal())
        written = quantisation.partial_folder(folder) / artifacts.OPENVINO_FILES[0]
        wait_until(written.is_file, 60, "the quantised network")
        assert not precision_record.folder_of(folder).exists()
        artifacts.write_model_info(folder, verified)
        assert int8_ir.add(folder, begun, StopSignal())
    info = artifacts.read_model_info(folder)
    found = precision_record.read_int8(folder, info)
    line = capsys.readouterr().out
    assert found, line
    precision_record.check_undamaged(folder, found)
    assert (found.gate.images, found.gate.passed, found.statistics_images) == (209, True, 60)
    assert line.startswith(f"int8 IR: on 209 validation images accuracy {found.gate.accuracy:.4f} (float32: 0.9")
    assert f"{found.steps[-1]} with 60 training images, last layer refitted on {found.head_images} in " in line
    assert found.head_images == 60
    reason = "int8 passed its gate, and CPUs that have bfloat16 instructions have those of int8 too"
    assert precision_record.left_out(info, "bf16") == reason
    assert line.splitlines()[1:] == [f"bf16 left out: {reason}."]
    assert info.extra["openvino"]["sha256"] == found.f32_sha256
    assert sorted(path.name for path in folder.iterdir() if "int8" in path.name) == ["openvino_int8"]


@pytest.mark.parametrize(("method", "judged"), [(planted_methods.good, False), (planted_methods.wrong, True)])
def test_bf16_is_judged_where_int8_failed(
    folder: Path,
    trained: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: planted_methods.Method,
    judged: bool,
) -> None:
    """A method that passes the gate, and methods that fail it -> the time for bf16 is spent for the latter alone."""
    planted_methods.plant(monkeypatch, dict.fromkeys(nncf_network.STEPS, method))
    monkeypatch.setattr(processors, "has_bfloat16", lambda *_: False)
    info = trained.backbone.info
    request = {
        **{name: getattr(info, name) for name in ("image_size", "resize_method", "imaging_version")},
        "statistics": [str(example.path) for example in trained.training.examples[:3]],
        "gate": [[str(example.path), example.label] for example in trained.validation.examples[1:]],
    }
    network = {"folder": str(folder), "another_rung": 100.0, "whole": 100.0, "fitted": False}
    (tmp_path / "network.json").write_text(json.dumps(network))
    (tmp_path / "verified.json").write_text("{}")
    quantiser._quantise(tmp_path, request)
    entries = json.loads((tmp_path / "result.json").read_text())
    assert ("left_out" in entries["int8"]) == judged
    assert entries["bf16"]["left_out"].startswith("the CPU that would have judged it" if judged else "int8 passed")


@pytest.mark.usefixtures("no_process")
def test_small_validation_set_leaves_it_out(folder: Path, trained: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """199 validation images -> one line that says how many it takes, the same in the model info, and no process."""
    few = Listing(trained.validation.folder, convolutions.COLOURS, trained.validation.examples[:199])
    assert add(folder, TrainedStandIn(**{**vars(trained), "validation": few}), StopSignal())
    reason = "199 validation images are fewer than the 200 that its gate takes"
    assert left_out(folder) == reason
    assert capsys.readouterr().out == f"int8 IR left out: {reason}. The float32 IR serves this model.\n"


@pytest.mark.usefixtures("no_process")
def test_stopped_job_does_not_begin(folder: Path, trained: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """SIGTERM came before -> False, the reason in the model info, and no line of its own."""
    stop = StopSignal()
    stop.set()
    assert not add(folder, trained, stop)
    assert left_out(folder) == "the job was stopped before it: SIGTERM"
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("no_process")
def test_little_time_left_does_not_begin(folder: Path, trained: Any) -> None:
    """35 s before max_runtime -> left out in favour of the report."""
    stop = StopSignal()
    stop.set_time_limit(35 + _age())
    assert add(folder, trained, stop)
    assert "s are left of max_runtime, and it takes at least 30 s" in str(left_out(folder))


def _age() -> float:
    return time.monotonic() - stopping.process_start()


def test_unverified_model_is_not_quantised(folder: Path, trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verification was left out -> so is int8, and the process that was started ends unused."""
    monkeypatch.setattr(Child, "wait", lambda *given: pytest.fail("the process got the network"))
    info = artifacts.read_model_info(folder)
    info.extra["verified"] = False  # type: ignore[index]
    artifacts.write_model_info(folder, info)
    assert add(folder, trained, StopSignal())
    assert left_out(folder) == "the model is not verified"


def test_stop_while_quantising_ends_the_process(folder: Path, trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM comes while the process runs -> False, no process, and nothing of it in the model folder."""
    stop, before, started = StopSignal(), sorted(folder.iterdir()), []
    wait = Child.wait

    def stopped(child: Child, given: StopSignal) -> None:
        started.append(child)
        stop.set()
        wait(child, given)

    monkeypatch.setattr(Child, "wait", stopped)
    assert not add(folder, trained, stop)
    assert sorted(folder.iterdir()) == before
    assert started[0]._process.poll() is not None


@pytest.mark.parametrize(
    ("method", "error", "reason"),
    [
        ("wait", ChildKilled("its process was killed by SIGKILL"), "its process was killed by SIGKILL"),
        ("__init__", OSError("the disk is full"), "OSError: the disk is full"),
    ],
)
def test_failure_is_a_reason_and_never_an_error(
    folder: Path, trained: Any, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception, reason: str
) -> None:
    """The process crashes, or its folder cannot be written -> the reason, and the job goes on."""

    def fail(*given: Any) -> None:
        raise error

    monkeypatch.setattr(Child, method, fail)
    assert add(folder, trained, StopSignal())
    assert left_out(folder) == reason


@pytest.mark.parametrize(
    ("quantization", "seconds", "started"), [("auto", None, 1), ("auto", 25, 0), ("auto", -5, 0), ("off", None, 0)]
)
def test_process_starts_before_the_model_is_there(
    tmp_path: Path,
    trained: Any,
    monkeypatch: pytest.MonkeyPatch,
    quantization: str,
    seconds: int | None,
    started: int,
) -> None:
    """Time enough -> a process that waits for the network and ends with the job; little, no time, or off -> none."""
    children: list[Child] = []
    start = Child.__init__

    def starting(child: Child, *given: Any) -> None:
        children.append(child)
        start(child, *given)

    monkeypatch.setattr(Child, "__init__", starting)
    stop = StopSignal()
    if seconds is not None:
        stop.set_time_limit(seconds + _age())
    with int8_ir.beginning(tmp_path, trained, quantization, stop) as found:
        assert (found is None) == (quantization == "off")
        assert [child._process.poll() for child in children] == [None] * started
    assert all(child._process.poll() is not None for child in children)


@pytest.mark.parametrize(
    ("ir", "verification", "given"),
    [
        (1e-6, {"engine": "openvino", "largest_difference": 1e-6}, [True, True]),
        (1e-6, {"engine": "openvino", "largest_difference": 5e-4}, [False, True]),
        (5e-4, {"engine": "openvino", "largest_difference": 1e-6}, [True, False]),
        (1e-6, {"engine": "tensorflow", "largest_difference": 0.0}, [False, True]),
        (1e-6, {"left_out": "none could be read"}, [False, True]),
    ],
)
def test_verified_predictions_are_not_computed_again(
    folder: Path,
    trained: Any,
    monkeypatch: pytest.MonkeyPatch,
    ir: float,
    verification: dict[str, Any],
    given: list[bool],
) -> None:
    """The float32 IR gave training's predictions, or not quite -> the process gets them and features, or not."""
    # In the order of the images that it gets.
    info = artifacts.read_model_info(folder)
    known = {**info.extra, "openvino": {**info.extra["openvino"], "largest_difference": ir}}
    artifacts.write_model_info(folder, replace(info, extra={**known, "verification": verification}))
    expected = np.arange(len(trained.validation.examples), dtype=np.float32)[:, np.newaxis]
    found: list[Any] = []
    networks: list[Any] = []
    requests: list[Any] = []

    def start(child: Child, module: str, scratch: Path, request: Any) -> None:
        requests.append(request)
        child._stderr = scratch / "stderr"

    def wait(child: Child, stop: StopSignal) -> None:
        known = [child._stderr.with_name(name) for name in ("float32.npy", "features.npy")]
        found.append([np.load(path) if path.is_file() else None for path in known])
        networks.append(json.loads(child._stderr.with_name("network.json").read_text()))
        raise ChildKilled("enough")

    monkeypatch.setattr(Child, "__init__", start)
    monkeypatch.setattr(Child, "wait", wait)
    monkeypatch.setattr(Child, "end", lambda child: None)
    arrays = Features(np.arange(len(trained.training.examples), dtype=np.float32)[:, np.newaxis], expected)
    refitted = {"expected": expected, "probabilities": expected.copy()}
    job: Any = TrainedStandIn(**{**vars(trained), **refitted, "arrays": arrays})
    assert add(folder, job, StopSignal())
    job.precision, job.probabilities = "bfloat16", expected
    assert add(folder, job, StopSignal())
    job.precision, job.arrays = "off", replace(arrays, of_head=False)
    assert add(folder, job, StopSignal())
    assert [network["fitted"] for network in networks] == [True, False, False]
    (answers, features), (_, rounded), (_, of_another_head) = found
    assert [answers is not None, features is not None, rounded is None, of_another_head is None] == [*given, True, True]
    if all(given):
        examples = trained.validation.examples, trained.training.examples
        gate, statistics = (
            [str(listed[int(row)].path) for row in rows[:, 0]]
            for listed, rows in zip(examples, (answers, features), strict=True)
        )
        assert gate == [path for path, _ in requests[0]["gate"]]
        assert statistics == requests[0]["statistics"]
