"""In which precision OpenVINO serves a model folder, by the setting, the records of the gate, and the CPU."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from image_classifier import artifacts, durable_files
from image_classifier.contract.errors import UserError
from image_classifier.inference import engines, footprint
from image_classifier.inference.engines import EngineOptions, EngineSelection
from image_classifier.inference.engines.precision import PrecisionChoice
from image_classifier.inference.openvino_model import precision_record
from image_classifier.resources import processors
from tests.support import tiny_models
from tests.support.tiny_models import TinyModel

MILAN, CASCADE_LAKE = "avx2", "avx2 avx512f avx512_vnni"
BF16_ALONE, SAPPHIRE_RAPIDS = "avx512_bf16", "avx512_vnni avx512_bf16 amx_bf16 amx_int8"
INTEL, AMD, ARM = "GenuineIntel", "AuthenticAMD", ""
SLOW = "this CPU has avx512_bf16 without amx_bf16, by which bf16 is faster than f32 on CPUs of AMD alone"
FAILED = replace(tiny_models.PASSED, accuracy=0.8, passed=False, failed_on=("accuracy", "label_flips"))


@pytest.fixture
def model(tmp_path: Path) -> TinyModel:
    """A model folder with a float32 IR."""
    return tiny_models.write(tmp_path / "model", "a")


@pytest.fixture
def gated(model: TinyModel) -> TinyModel:
    """A model folder whose int8 and bf16 passed their gates."""
    tiny_models.add_int8(model)
    tiny_models.add_bf16(model)
    return model


def on(monkeypatch: pytest.MonkeyPatch, flags: str, vendor: str = INTEL) -> None:
    """Compute on a CPU with these flags."""
    monkeypatch.setattr(processors, "features", lambda *_: frozenset(flags.split()))
    monkeypatch.setattr(processors, "vendor", lambda *_: vendor)


def select(model: TinyModel, wanted: str) -> EngineSelection:
    """Select for a model as serving does."""
    return engines.choose(model.folder, artifacts.read_model_info(model.folder), EngineOptions("openvino", wanted))


def choose(model: TinyModel, wanted: str) -> PrecisionChoice:
    """Choose the precision for a model as serving does."""
    found = select(model, wanted).precision
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("flags", "vendor", "chosen", "why"),
    [
        (MILAN, AMD, "f32", "no fast int8 instructions; no bf16, since this CPU has no bfloat16 instructions"),
        (CASCADE_LAKE, INTEL, "int8", "int8 passed its gate, and this CPU has avx512_vnni"),
        (BF16_ALONE, AMD, "bf16", "bf16 passed its gate, and this CPU has avx512_bf16"),
        (BF16_ALONE, INTEL, "f32", f"no fast int8 instructions; no bf16, since {SLOW}"),
        ("avx512_bf16 amx_bf16", INTEL, "bf16", "bf16 passed its gate, and this CPU has amx_bf16"),
        (SAPPHIRE_RAPIDS, INTEL, "int8", "int8 passed its gate, and this CPU has amx_int8"),
        ("asimd asimddp", ARM, "f32", "this CPU has no fast int8 instructions"),
        ("asimd i8mm bf16", ARM, "int8", "this CPU has i8mm"),
        ("asimd bf16", ARM, "bf16", "bf16 passed its gate, and this CPU has bf16"),
    ],
)
def test_auto_takes_what_the_cpu_computes_fast(
    gated: TinyModel, monkeypatch: pytest.MonkeyPatch, flags: str, vendor: str, chosen: str, why: str
) -> None:
    """A model that passed both gates on various CPUs -> int8, bf16 or f32, whichever is the fastest on it."""
    on(monkeypatch, flags, vendor)
    found = choose(gated, "auto")
    assert (found.precision, found.note) == (chosen, None)
    assert found.reason.startswith("SERVE_PRECISION is auto: ")
    assert why in found.reason
    assert found.network.name == ("openvino_int8" if chosen == "int8" else "openvino")


def test_auto_serves_an_older_model_in_float32(model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model without any gate on the best CPU -> f32, with both reasons and without a warning."""
    on(monkeypatch, SAPPHIRE_RAPIDS)
    found = choose(model, "auto")
    assert (found.precision, found.note) == ("f32", None)
    assert f"no int8, since {model.folder} has no int8 network; no bf16, since " in found.reason


def test_auto_never_takes_what_failed_its_gate(model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both failed their gates on the best CPU, int8 with its file left behind -> f32, with what it failed on."""
    tiny_models.add_int8(model, gate=FAILED)
    tiny_models.add_bf16(model, gate=FAILED)
    on(monkeypatch, SAPPHIRE_RAPIDS)
    found = choose(model, "auto")
    assert found.precision == "f32"
    assert found.reason.count("did not pass its gate") == 2
    assert "accuracy, label_flips" in found.reason


def test_recorded_reason_is_shown(model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that left int8 out -> its reason, in the choice of auto and in the rejection of int8."""
    info = artifacts.read_model_info(model.folder)
    artifacts.write_model_info(model.folder, precision_record.with_reason(info, "int8", "100 images are too few"))
    on(monkeypatch, SAPPHIRE_RAPIDS)
    assert "has no int8 network (100 images are too few)" in choose(model, "auto").reason
    with pytest.raises(UserError, match=r"has no int8 network \(100 images are too few\)\. Set it to f32 or auto, or"):
        choose(model, "int8")


@pytest.mark.parametrize("gate", [tiny_models.PASSED, FAILED])
def test_int8_of_another_network_is_not_used(
    model: TinyModel, monkeypatch: pytest.MonkeyPatch, gate: precision_record.Gate
) -> None:
    """Another float32 IR was recorded since -> auto serves f32 with a note and its remedy; int8 is rejected with it."""
    tiny_models.add_int8(model, gate=gate)
    tiny_models.add_bf16(model, gate=gate)
    info = json.loads((model.folder / artifacts.MODEL_INFO_FILE).read_text())
    info["openvino"]["sha256"] = "0" * 64
    durable_files.write_json(model.folder / artifacts.MODEL_INFO_FILE, info)
    on(monkeypatch, SAPPHIRE_RAPIDS)
    found = choose(model, "auto")
    assert found.precision == "f32"
    assert found.note is not None
    assert "was made of another OpenVINO IR than the one beside it. Run scripts/convert-model" in found.note
    assert found.reason.count("another OpenVINO IR") == 2
    with pytest.raises(UserError, match=r"^SERVE_PRECISION is int8, but the int8 network in .* was made of another"):
        choose(model, "int8")


def test_int8_without_its_file_or_its_gate_is_rejected(model: TinyModel) -> None:
    """int8 requested from a model without it, and from one that failed -> one sentence with allowed values, remedy."""
    with pytest.raises(UserError, match=r"has no int8 network\. Set it to f32 or auto, or run scripts/convert-model"):
        choose(model, "int8")
    shutil.rmtree(tiny_models.add_int8(model))
    with pytest.raises(UserError, match="has no int8 network"):
        choose(model, "int8")
    tiny_models.add_int8(model, gate=FAILED)
    with pytest.raises(UserError, match=r"did not pass its gate \(accuracy, label_flips\)\. Set it to f32"):
        choose(model, "int8")


def test_int8_on_a_slow_cpu_gets_a_warning(gated: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """int8 requested on plain AVX2 and on VNNI -> served on both, with a warning on the first."""
    on(monkeypatch, MILAN)
    assert "this CPU has none of amx_int8, avx512_vnni, avx_vnni and i8mm" in (select(gated, "int8").note or "")
    on(monkeypatch, CASCADE_LAKE)
    assert select(gated, "int8") == EngineSelection("openvino")
    assert choose(gated, "int8").precision == "int8"


def test_weights_of_the_whole_range_are_rejected_on_a_slow_cpu(
    model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An int8 network that plain AVX2 adds up wrongly -> int8 is rejected with three remedies, auto takes f32."""
    tiny_models.add_int8(model, whole_range=True)
    on(monkeypatch, MILAN)
    with pytest.raises(UserError, match=r"none of amx_int8, .* wrongly\. Set it to f32 or auto, choose .*, or run"):
        choose(model, "int8")
    assert choose(model, "auto").precision == "f32"
    on(monkeypatch, CASCADE_LAKE)
    assert (choose(model, "int8").precision, choose(model, "int8").note) == ("int8", None)


def test_bf16_without_a_passed_gate_is_served_with_a_warning(model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """bf16 requested from an older model, then failed, then passed -> served as before; a warning but for the last."""
    on(monkeypatch, BF16_ALONE, AMD)
    assert (choose(model, "bf16").precision, choose(model, "bf16").note) == (
        "bf16",
        f"SERVE_PRECISION is bf16, but {model.folder} has no passed gate for bf16. Its predictions may be less "
        "accurate than those of f32.",
    )
    tiny_models.add_bf16(model, gate=FAILED)
    assert "did not pass its gate in bf16 (accuracy, label_flips). Its" in (choose(model, "bf16").note or "")
    tiny_models.add_bf16(model)
    assert (choose(model, "bf16").precision, choose(model, "bf16").note) == ("bf16", None)


def test_slow_bf16_is_served_with_a_warning(model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """bf16 requested on a CPU that computes it slowly, after a passed gate and without -> served; the note has each."""
    on(monkeypatch, BF16_ALONE, INTEL)
    lack = f"{model.folder} has no passed gate for bf16"
    assert select(model, "bf16").note == (
        f"SERVE_PRECISION is bf16, but {lack}, and {SLOW}. Its predictions may be less accurate and slower than those "
        "of f32."
    )
    tiny_models.add_bf16(model)
    found = choose(model, "bf16")
    slower = f"SERVE_PRECISION is bf16, but {SLOW}. Its predictions may be slower than those of f32."
    assert (found.precision, found.note) == ("bf16", slower)


def test_default_reads_no_record(model: TinyModel) -> None:
    """A corrupt record of precisions -> f32 is chosen as before; auto and int8 say what is invalid."""
    tiny_models.add_int8(model)
    info = json.loads((model.folder / artifacts.MODEL_INFO_FILE).read_text())
    del info["precisions"]["int8"]["sha256"]
    durable_files.write_json(model.folder / artifacts.MODEL_INFO_FILE, info)
    assert choose(model, "f32") == PrecisionChoice("f32", model.folder / "openvino", "")
    for wanted in ("auto", "int8"):
        with pytest.raises(UserError, match=r"precisions\.int8 .* is invalid: sha256 is missing, a text\."):
            choose(model, wanted)


def test_chosen_file_runs_and_only_it_is_verified(gated: TinyModel) -> None:
    """int8 and f32 of one folder -> each runs its own network; a corrupt int8 file stops int8 alone."""
    folder, info = gated.folder, artifacts.read_model_info(gated.folder)
    red = np.full((1, *tiny_models.SIZE, 3), (250, 20, 20), np.uint8)

    def run(wanted: str) -> tuple[str, float]:
        engine = engines.load(folder, info, False, EngineOptions("openvino", wanted))
        return engine.precision, float(engine.probabilities(red)[0, 0])

    (first, sure), (second, unsure) = run("f32"), run("int8")
    assert (first, second) == ("f32", "int8")
    assert sure > 0.999 > unsure > 0.98
    with (folder / "openvino_int8" / "model.xml").open("ab") as file:
        file.write(b" ")
    assert run("f32") == (first, sure)
    with pytest.raises(UserError, match=r"^The int8 OpenVINO IR in .* is corrupt: .*--quantize"):
        run("int8")


def test_memory_is_estimated_from_the_chosen_file(tmp_path: Path) -> None:
    """A large float32 IR and a small int8 one -> the estimate of a process follows the one that runs."""
    model = tiny_models.write(tmp_path / "model", "a", megabytes=8)
    tiny_models.add_int8(model)
    float32, int8 = (footprint.process_bytes(model.folder, select(model, wanted)) for wanted in ("f32", "int8"))
    assert float32 - int8 > 15 * footprint.MEGABYTE


def test_tensorflow_has_neither_int8_nor_bf16(gated: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """SERVE_ENGINE=tensorflow with each precision -> int8 and bf16 are rejected, auto serves what TensorFlow has."""
    on(monkeypatch, SAPPHIRE_RAPIDS)
    info = artifacts.read_model_info(gated.folder)
    for wanted in ("int8", "bf16"):
        with pytest.raises(UserError, match=rf"SERVE_PRECISION is {wanted}, which only the openvino engine supports"):
            engines.choose(gated.folder, info, EngineOptions("tensorflow", wanted))
    assert engines.choose(gated.folder, info, EngineOptions("tensorflow", "auto")) == EngineSelection("tensorflow")
