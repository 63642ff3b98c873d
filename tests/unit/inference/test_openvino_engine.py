"""An OpenVINO IR behind one function from pixels to probabilities."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino as runtime
import pytest
from numpy.typing import NDArray
from openvino import opset13

from image_classifier import PROGRAM, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.engines import openvino, tensorflow
from image_classifier.inference.openvino_model import ir_record
from image_classifier.inference.predictor import Predictor
from image_classifier.resources.processors import has_bfloat16
from tests.unit.inference import colours

INFO = ModelInfo(image_size=colours.SIZE)


@pytest.fixture
def representation(converted_model: Callable[[str], Path], tmp_path: Path) -> Path:
    """A copy of an IR that may be corrupt."""
    found = ir_record.folder_of(converted_model("both"))
    return Path(shutil.copytree(found, tmp_path / "openvino"))


@pytest.fixture
def noise() -> NDArray[np.uint8]:
    """Seventy images of noise, more than are classified at once."""
    return np.random.default_rng(1).integers(0, 256, (70, *colours.SIZE, 3), np.uint8)


@pytest.mark.parametrize("form", colours.FORMS)
def test_every_calling_convention_agrees_with_tensorflow(
    converted_model: Callable[[str], Path], halves: NDArray[np.uint8], form: str
) -> None:
    """Given one network behind each calling convention -> TensorFlow's probabilities, float32, one row per image."""
    folder = converted_model(form)
    info = artifacts.read_model_info(folder)
    engine = openvino.load_engine(ir_record.folder_of(folder), info)
    answered, expected = engine.probabilities(halves), tensorflow.load_engine(folder, info).probabilities(halves)
    assert answered.dtype == np.float32
    assert (engine.name, answered.shape) == ("openvino", (3, engine.outputs))
    assert answered == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 70])
def test_any_number_of_images_is_answered_in_order(representation: Path, noise: NDArray[np.uint8], count: int) -> None:
    """None, one, several, more than there are requests -> what each gets alone, in order."""
    engine = openvino.load_engine(representation, INFO)
    alone = [engine.probabilities(noise[index : index + 1])[0] for index in range(count)]
    assert np.array_equal(engine.probabilities(noise[:count]), np.array(alone, np.float32).reshape(count, 3))


def test_many_threads_get_their_own_answers(representation: Path, noise: NDArray[np.uint8]) -> None:
    """Given twelve threads with batches of different images -> each gets its rows, and no request is lost."""
    engine = openvino.load_engine(representation, INFO)
    requests = engine.pool.idle
    expected = engine.probabilities(noise)
    places = [(start, start + 1 + start % 5) for start in range(60)] * 5
    with ThreadPoolExecutor(12) as pool:
        answered = list(pool.map(lambda place: engine.probabilities(noise[slice(*place)]), places))
    for place, rows in zip(places, answered, strict=True):
        assert np.array_equal(rows, expected[slice(*place)])
    assert engine.pool.idle == requests >= 1


def test_images_of_another_size_leave_the_engine_usable(representation: Path, halves: NDArray[np.uint8]) -> None:
    """Given pixels of another size -> an error, then the same results from as many requests."""
    engine = openvino.load_engine(representation, INFO)
    requests, before = engine.pool.idle, engine.probabilities(halves)
    with pytest.raises(ValueError, match="could not broadcast"):
        engine.probabilities(np.zeros((3, 5, 5, 3), np.uint8))
    assert engine.pool.idle == requests >= 1
    assert np.array_equal(engine.probabilities(halves), before)


def test_an_error_affects_only_its_own_call(representation: Path, noise: NDArray[np.uint8]) -> None:
    """Given threads of which every third sends pixels of another size -> those fail, the others get their results."""
    engine = openvino.load_engine(representation, INFO)
    expected, wrong = engine.probabilities(noise[:60]), np.zeros((1, 5, 5, 3), np.uint8)

    def ask(number: int) -> NDArray[np.float32] | str:
        try:
            return engine.probabilities(noise[number : number + 1] if number % 3 else wrong)
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        answered = list(pool.map(ask, range(60)))
    assert all("could not broadcast" in str(answer) for answer in answered[::3])
    assert all(np.array_equal(answered[number], expected[number : number + 1]) for number in range(60) if number % 3)


@pytest.mark.parametrize(
    ("processors", "single_compilation", "streams"), [(1, False, [1]), (2, False, [1, 2]), (2, True, [2])]
)
def test_latency_mode_uses_all_cpus_and_throughput_mode_one_each(
    representation: Path, monkeypatch: pytest.MonkeyPatch, processors: int, single_compilation: bool, streams: list[int]
) -> None:
    """Given one CPU, several, or a single compilation -> streams of the latency mode and of the throughput mode."""
    monkeypatch.setattr(openvino, "available_processors", lambda: processors)
    engine = openvino.load_engine(representation, INFO, single_compilation=single_compilation)
    assert (engine.concurrency, engine.warm_up_sizes) == (processors + 4, (1, processors + 4))
    assert engine.pool.idle == processors + 2 + (len(streams) > 1)
    networks = []
    for wanted in (1, 2):
        with engine.pool.taken(wanted) as requests:
            networks += [request.get_compiled_model() for request in requests]
    found = [network.get_property("NUM_STREAMS") for network in networks]
    assert found == [streams[0]] + [streams[-1]] * 2
    assert not any(network.get_property("ENABLE_CPU_PINNING") for network in networks)


@pytest.mark.parametrize(
    ("sole_process", "machine", "pinned"), [(True, 2, [True, False]), (True, 8, [False] * 2), (False, 2, [False] * 2)]
)
def test_threads_of_the_latency_mode_are_pinned(
    representation: Path,
    monkeypatch: pytest.MonkeyPatch,
    noise: NDArray[np.uint8],
    sole_process: bool,
    machine: int,
    pinned: list[bool],
) -> None:
    """Given all CPUs and a sole process -> only the latency mode's threads are pinned; otherwise none."""
    monkeypatch.setattr(openvino, "available_processors", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: machine)
    before = os.sched_getaffinity(0)
    engine = openvino.load_engine(representation, INFO, sole_process=sole_process)
    found = []
    for wanted in (1, 2):
        with engine.pool.taken(wanted) as requests:
            found.append(requests[0].get_compiled_model().get_property("ENABLE_CPU_PINNING"))
    assert found == pinned
    engine.probabilities(noise[:1])
    assert os.sched_getaffinity(0) == before


def test_threads_of_the_network_have_low_priority(representation: Path, noise: NDArray[np.uint8]) -> None:
    """Given a busy engine -> its own threads are nicer than the thread that loaded it, whose niceness is unchanged."""
    before, others = os.nice(0), set(niceness_of_threads())
    engine = openvino.load_engine(representation, INFO)
    engine.probabilities(noise[:8])
    found = niceness_of_threads()
    assert os.nice(0) == before
    assert {found[thread] for thread in found.keys() - others} == {min(before + 10, 19)}


def niceness_of_threads() -> dict[str, int]:
    """Return the niceness of every thread of this process, by its id; proc(5) has it 17 fields behind the name."""
    folders = Path("/proc/self/task").iterdir()
    lines = {folder.name: (folder / "stat").read_text(encoding="utf-8", errors="replace") for folder in folders}
    return {thread: int(line.rpartition(")")[2].split()[16]) for thread, line in lines.items()}


@pytest.mark.parametrize("order", [("probabilities", "features"), ("features", "probabilities")])
def test_features_are_found_by_name(tmp_path: Path, halves: NDArray[np.uint8], order: tuple[str, str]) -> None:
    """A network with two outputs, in either order -> probabilities and features of every image."""
    two_outputs(tmp_path, order)
    engine = openvino.load_engine(tmp_path, INFO)
    found = engine.run(halves)
    assert found.features is not None
    assert found.features == pytest.approx(halves.mean(axis=(1, 2)), abs=1e-2)
    assert found.probabilities.argmax(axis=1).tolist() == halves.mean(axis=(1, 2)).argmax(axis=1).tolist()
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def two_outputs(folder: Path, order: tuple[str, str]) -> None:
    """Write an IR that answers the means of red, green and blue as features, and their softmax as probabilities."""
    pixels = opset13.parameter([-1, *colours.SIZE, 3], np.uint8)
    means = opset13.reduce_mean(opset13.convert(pixels, "f32"), [1, 2], keep_dims=False)
    answers = {"features": means, "probabilities": opset13.softmax(means, axis=1)}
    for name, node in answers.items():
        node.output(0).set_names({name})
    model = runtime.Model([answers[name] for name in order], [pixels], "two outputs")
    runtime.save_model(model, folder / artifacts.OPENVINO_FILES[0], compress_to_fp16=False)


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_precision_is_the_one_that_was_asked_for(representation: Path, precision: str) -> None:
    """An engine in f32 and in bf16 -> compiled for it; f32 is not a default of OpenVINO's on every CPU."""
    if precision == "bf16" and not has_bfloat16():
        pytest.skip("this CPU does not compute in bfloat16")
    engine = openvino.load_engine(representation, INFO, precision)
    with engine.pool.taken(1) as (alone,), engine.pool.taken(1) as (accompanied,):
        networks = [request.get_compiled_model() for request in (alone, accompanied)]
    assert {network.get_property("INFERENCE_PRECISION_HINT").to_string() for network in networks} == {precision}


def test_image_size_of_the_model_info_must_be_the_networks(representation: Path) -> None:
    """A model info with another size than the network's -> rejected with both."""
    with pytest.raises(UserError, match=r"takes u8 \[\?,24,32,3\] .* expected u8 \[\?,10,11,3\]"):
        openvino.load_engine(representation, ModelInfo(image_size=(10, 11)))


@pytest.mark.parametrize("word", [b"body", b"then_body", b"else_body"])
def test_deeply_nested_graph_is_rejected(representation: Path, word: bytes) -> None:
    """Given a graph with 3,000 nested loops or branches, which crash OpenVINO's parser -> one sentence."""
    nested = b"<layers><layer><" + word + b">", b"</" + word + b"></layer></layers>"
    (representation / "model.xml").write_bytes(b"<net>" + nested[0] * 3_000 + nested[1] * 3_000 + b"</net>")
    with pytest.raises(UserError, match=r"is rejected: model\.xml has .* and 3,000 bodies of loops and branches"):
        openvino.load_engine(representation, INFO)


def test_graph_of_gigabytes_is_not_read(representation: Path) -> None:
    """A sparse model.xml of 1 GB -> its size in the message, at once."""
    with (representation / "model.xml").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(UserError, match=r"model\.xml has 1,073,741,824 bytes"):
        openvino.load_engine(representation, INFO)


@pytest.mark.parametrize(("name", "kept"), [("model.xml", 0), ("model.xml", 500), ("model.bin", 0)])
def test_truncated_file_cannot_be_loaded(representation: Path, name: str, kept: int) -> None:
    """A file that was cut off, past every checksum -> rejected in one line with the folder."""
    path = representation / name
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError) as found:
        openvino.load_engine(representation, INFO)
    assert str(found.value).startswith(f"The OpenVINO IR in {representation} cannot be loaded: ")
    assert len(str(found.value).splitlines()) == 1
    assert "Exception from" not in str(found.value)


@pytest.mark.parametrize("name", artifacts.OPENVINO_FILES)
def test_changed_file_is_found_before_it_is_used(
    converted_model: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    """A byte of the IR that is another, or a file that is gone -> rejected as corrupt, with the remedy."""
    folder = Path(shutil.copytree(converted_model("both"), tmp_path / "model"))
    path = folder / "openvino" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"is corrupt: it has sha256 .* or run scripts/convert-model"):
        Predictor.load(folder)
    path.unlink()
    with pytest.raises(UserError, match=f"is corrupt: it lacks {name}"):
        Predictor.load(folder)


ANSWER = """
import json, sys
from pathlib import Path
from image_classifier.inference.predictor import Predictor

predictor = Predictor.load(Path(sys.argv[1]))
predictor.warm_up()
print(json.dumps([predictor.engine.name, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def test_tensorflow_is_not_imported(converted_model: Callable[[str], Path]) -> None:
    """Given a process that loads and runs a model with an IR -> it uses openvino and does not import TensorFlow."""
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    command = [sys.executable, "-W", "error", "-c", ANSWER, str(converted_model("both"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    name, modules = json.loads(done.stdout)
    assert name == "openvino"
    assert {"tensorflow", "tf_keras", "keras", "tensorflow_hub"}.isdisjoint(modules)
    assert "openvino" in modules
    assert done.stderr == ""
