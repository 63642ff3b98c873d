"""int8 and bf16 of corrupt and hostile artefacts: one sentence each, and the float32 network still serves."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier import artifact_checksums, artifacts, durable_files
from image_classifier.contract.errors import UserError
from image_classifier.inference import engines
from image_classifier.inference.engines import EngineOptions
from image_classifier.inference.openvino_model import ir_record, precision_record
from image_classifier.inference.predictor import Predictor
from image_classifier.resources import processors
from tests.support import tiny_models
from tests.unit.inference import convolutions

ABSENT = object()
"""In the place of a value: the key is removed."""
NAN, INFINITE = float("nan"), float("inf")
INVALID: list[tuple[str, object, str]] = [
    ("f32_sha256", ABSENT, "f32_sha256 is missing, a text"),
    ("f32_sha256", None, "f32_sha256 is None, and must be a text"),
    ("gate", ABSENT, "gate is missing, an object"),
    ("gate", [1, 2], "gate is [1, 2], and must be an object"),
    ("gate.images", -5, "gate.images is -5, and must be a whole number of at least 1"),
    ("gate.images", 200.5, "gate.images is 200.5"),
    ("gate.images", True, "gate.images is True"),
    ("gate.accuracy", None, "gate.accuracy is None, and must be a number from 0 to 1"),
    ("gate.accuracy_f32", "0.9", "gate.accuracy_f32 is '0.9'"),
    ("gate.label_flips", NAN, "gate.label_flips is nan"),
    ("gate.calibration_change", INFINITE, "gate.calibration_change is inf"),
    ("gate.drop_bound", -3, "gate.drop_bound is -3, and must be a number from -1 to 1"),
    ("gate.largest_difference", ABSENT, "gate.largest_difference is missing"),
    ("gate.passed", "no", "gate.passed is 'no', and must be true or false"),
    ("gate.passed", 1, "gate.passed is 1"),
    ("gate.failed_on", "accuracy", "gate.failed_on is 'accuracy', and must be a list of texts"),
    ("gate.failed_on", [1], "gate.failed_on is [1]"),
    ("gate.failed_on", ["accuracy"], "gate.passed is True, but gate.failed_on is ['accuracy']"),
]
"""A key of a record, its value, and what is said of it."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose int8 IR, with weights, and bf16 passed their gates."""
    model = tiny_models.write(tmp_path_factory.mktemp("whole") / "model", "a", megabytes=0.05)
    int8 = tiny_models.add_int8(model)
    tiny_models.add_bf16(model)
    shutil.copytree(ir_record.folder_of(model.folder), int8, dirs_exist_ok=True)
    record_anew(model.folder)
    return model.folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, on a CPU that has both precisions."""
    monkeypatch.setattr(processors, "features", lambda *_: frozenset({"avx512_vnni", "avx512_bf16"}))
    return Path(shutil.copytree(whole, tmp_path / "model"))


def model_info(folder: Path) -> dict[str, Any]:
    """Return the model info as it is written."""
    found: dict[str, Any] = json.loads((folder / artifacts.MODEL_INFO_FILE).read_text())
    return found


def record_anew(folder: Path) -> None:
    """Record the digest of the int8 files as they are now, as one who plants them would."""
    info = model_info(folder)
    info["precisions"]["int8"]["sha256"] = artifact_checksums.folder_sha256(precision_record.folder_of(folder))
    durable_files.write_json(folder / artifacts.MODEL_INFO_FILE, info)


def run(folder: Path, precision: str) -> float:
    """Load a model as serving does, for throughput alone; return the probability of red for a red image."""
    options = EngineOptions("openvino", precision, single_compilation=True)
    engine = engines.load(folder, artifacts.read_model_info(folder), False, options)
    red = np.full((1, *tiny_models.SIZE, 3), (250, 20, 20), np.uint8)
    return float(engine.probabilities(red)[0, 0])


def assert_rejected(folder: Path, precision: str, *words: str) -> None:
    """Check that a precision is rejected in one sentence of one line with all `words`."""
    with pytest.raises(UserError) as found:
        run(folder, precision)
    for each in words:
        assert each in str(found.value)
    assert len(str(found.value).splitlines()) == 1
    assert str(found.value).endswith(".")
    assert "!." not in str(found.value)


def assert_float32_serves(folder: Path) -> None:
    """Check that the float32 network of the same folder answers."""
    assert run(folder, "f32") > 0.99


@pytest.mark.parametrize(
    ("precision", "key", "value", "words"),
    [
        *(("int8", *case) for case in INVALID),
        # Both records are read by the same function.
        *(pytest.param("bf16", *case, marks=pytest.mark.every) for case in INVALID[1:]),
        ("bf16", *INVALID[0]),
    ],
)
def test_invalid_record_is_named(folder: Path, precision: str, key: str, value: object, words: str) -> None:
    """A value that is missing, null, no number, out of range, a list -> its name and what it must be; f32 serves."""
    plant(folder, precision, key, value)
    if precision == "bf16":
        # auto asks for bf16 where there is no int8.
        shutil.rmtree(precision_record.folder_of(folder))
    whose = f"The entry precisions.{precision} in the model info of {folder} is invalid: "
    for wanted in (precision, "auto"):
        assert_rejected(folder, wanted, whose, words)
    assert_float32_serves(folder)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("steps", 5, "steps is 5, and must be a list of texts"),
        ("sha256", ["a"], "sha256 is ['a'], and must be a text"),
        ("tool", "", "tool is '', and must be a text"),
        ("statistics_images", -1, "statistics_images is -1, and must be a whole number of at least 0"),
        ("seconds", NAN, "seconds is nan, and must be a number of at least 0"),
        ("tool", ["x" * 999], f"tool is ['{'x' * 58}..., and must be a text"),
    ],
)
def test_invalid_record_of_the_file_is_named(folder: Path, key: str, value: object, words: str) -> None:
    """The same for what is recorded of an int8 file; a long value is cut."""
    plant(folder, "int8", key, value)
    assert_rejected(folder, "int8", words)
    assert_float32_serves(folder)


@pytest.mark.parametrize("entries", [None, [], "int8", {"int8": None}, {"int8": [1]}, {"int8": {}}])
def test_entry_of_another_form_is_no_record(folder: Path, entries: object) -> None:
    """The whole entry is of another type -> the model counts as one without int8."""
    info = model_info(folder)
    durable_files.write_json(folder / artifacts.MODEL_INFO_FILE, {**info, "precisions": entries})
    assert_rejected(folder, "int8", "has no int8 network. Set it to f32 or auto, or run ")
    assert run(folder, "auto") > 0.99


def test_later_version_may_record_more(folder: Path) -> None:
    """Unknown keys in the record and in its gate -> ignored."""
    plant(folder, "int8", "method", "new")
    plant(folder, "int8", "gate.more", [1])
    assert run(folder, "int8") > 0.99


def plant(folder: Path, precision: str, key: str, value: object) -> None:
    """Put a value into the record of a precision."""
    info = model_info(folder)
    entry = info["precisions"][precision]
    *parents, last = key.split(".")
    for parent in parents:
        entry = entry[parent]
    if value is ABSENT:
        del entry[last]
    else:
        entry[last] = value
    (folder / artifacts.MODEL_INFO_FILE).write_text(json.dumps(info))


def cut(name: str, share: float) -> Callable[[Path], None]:
    """Return the damage that keeps only the first part of a file."""

    def damage(int8: Path) -> None:
        content = (int8 / name).read_bytes()
        (int8 / name).write_bytes(content[: int(len(content) * share)])

    return damage


def other_weights(int8: Path) -> None:
    """Put the weights of another model beside the graph."""
    other = convolutions.write(int8.parent.parent / "other")
    shutil.copyfile(ir_record.folder_of(other) / "model.bin", int8 / "model.bin")


def edited(pattern: str, replacement: str) -> Callable[[Path], None]:
    """Return the damage that edits the graph."""

    def damage(int8: Path) -> None:
        graph = int8 / "model.xml"
        graph.write_text(re.sub(pattern, replacement, graph.read_text()))

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut("model.xml", 0.5), "Error parsing element attribute"),
        (cut("model.xml", 0), "Unable to read the model"),
        (cut("model.bin", 0.5), "Incorrect weights in bin file."),
        (cut("model.bin", 0), "Incorrect weights in bin file."),
        (other_weights, "Incorrect weights in bin file."),
        (edited(r'offset="\d+"', 'offset="18446744073709551000"'), "cannot be loaded: "),
        (edited(r'size="\d+"', 'size="-4"'), 'attribute "size" = "-4" which is not an unsigned 64 bit integer'),
    ],
)
@pytest.mark.parametrize("wanted", ["int8", pytest.param("auto", marks=pytest.mark.every)])
def test_damaged_file_is_rejected(folder: Path, wanted: str, damage: Callable[[Path], None], words: str) -> None:
    """A file cut short, edited, of another model -> corrupt by its digest, and by OpenVINO where that was forged."""
    damage(precision_record.folder_of(folder))
    assert_rejected(folder, wanted, f"The int8 OpenVINO IR in {folder / 'openvino_int8'} is corrupt: it has sha256 ")
    record_anew(folder)
    assert_rejected(folder, wanted, words)
    assert_float32_serves(folder)


@pytest.mark.parametrize("name", artifacts.OPENVINO_FILES)
def test_missing_file_is_named(folder: Path, name: str) -> None:
    """One of the two files is missing -> its name and the command that makes it again."""
    (precision_record.folder_of(folder) / name).unlink()
    assert_rejected(folder, "int8", f"is corrupt: it lacks {name}. Copy the model again, or run scripts/convert-model ")
    assert_float32_serves(folder)


def test_network_of_another_model_is_rejected(folder: Path) -> None:
    """A whole int8 IR of two classes, with a forged digest -> not served under three labels."""
    other = convolutions.write(folder.parent / "other", binary=True)
    shutil.copytree(ir_record.folder_of(other), precision_record.folder_of(folder), dirs_exist_ok=True)
    record_anew(folder)
    with pytest.raises(UserError, match=r"names 3 classes, but the model returns 1 probability per image\. "):
        Predictor.load(folder, options=EngineOptions("openvino", "int8"))
    assert Predictor.load(folder, options=EngineOptions("openvino", "f32")).engine.precision == "f32"
