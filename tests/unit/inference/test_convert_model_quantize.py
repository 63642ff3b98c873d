"""`scripts/convert-model --quantize`: int8 added to an older artefact, by planted methods and once by NNCF itself."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier import archives, artifact_checksums, artifacts, durable_files
from image_classifier.inference import engines
from image_classifier.inference.engines import EngineOptions
from image_classifier.inference.openvino_model import bf16, nncf_network, precision_record, quantisation
from image_classifier.inference.openvino_model.nncf_network import FAST, FULL
from image_classifier.resources import processors
from tests.unit.inference import colours, planted_methods
from tests.unit.inference.test_convert_model import run

COUNT = 240
"""Images: 200 for the gate, the others for the ranges."""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of images whose left halves tell the class, and whose brightness is a number of their own."""
    folder, noise = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for index in range(COUNT):
        pixels = noise.integers(60, 120, (*colours.SIZE, 3), np.uint8)
        pixels[:, : colours.SIZE[1] // 2, index % 3] += np.uint8(60)
        # As the first pixel, by which a test tells the images apart.
        pixels[0, 0] = (index, 7, 7)
        path = folder / colours.LABELS[index % 3] / f"{index:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture
def model(colour_model: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder without an IR, on a CPU without instructions for bf16."""
    monkeypatch.setattr(processors, "has_bfloat16", lambda *_: False)
    return Path(shutil.copytree(colour_model("pixels"), tmp_path / "model"))


def test_int8_is_added_with_its_figures(
    model: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second method passes -> exit 0, three lines, a recorded IR that serves; gate and ranges share no image."""
    ran = planted_methods.plant(monkeypatch, {FAST: planted_methods.wrong, FULL: planted_methods.good})
    code, said, complained = run(capsys, model, "--images", photographs, "--quantize")
    assert (code, complained, ran.steps) == (0, "", [FAST, FULL])
    float32, int8, bf16 = said.splitlines()
    assert float32.startswith(f"{model} has an OpenVINO IR now. On 100 images of {photographs} ")
    assert int8.startswith("It also has an int8 IR: on 200 validation images accuracy 1.0000 (float32: 1.0000), 0.00 %")
    assert int8.endswith(" s.")
    assert bf16 == "bf16: left out, the CPU that would have judged it has no bfloat16 instructions."
    info = artifacts.read_model_info(model)
    found = precision_record.read_int8(model, info)
    assert found is not None
    assert (found.gate.images, found.statistics_images, found.steps) == (200, COUNT - 200, (FAST, FULL))
    precision_record.check_undamaged(model, found)
    assert engines.load(model, info, False, EngineOptions("openvino", "int8")).precision == "int8"
    statistics = ran.statistics[0][:, 0, 0, 0]
    assert len(set(statistics.tolist())) == COUNT - 200
    # As many of each class, within one image, as for any stratified sample.
    assert all(abs(np.sum(statistics % 3 == label) - 40 / 3) <= 1 for label in range(3))


def test_archive_gets_int8_in_place(
    model: Path,
    photographs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An archive -> both IRs are in it."""
    planted_methods.plant(monkeypatch, {FAST: planted_methods.good})
    archives.pack(model, tmp_path / "model.tar.gz")
    assert run(capsys, tmp_path / "model.tar.gz", "--images", photographs, "--quantize")[0] == 0
    archives.unpack(tmp_path / "model.tar.gz", tmp_path / "after")
    found = precision_record.read_int8(tmp_path / "after", artifacts.read_model_info(tmp_path / "after"))
    assert found is not None
    precision_record.check_undamaged(tmp_path / "after", found)


def test_failed_gate_is_exit_code_1_and_keeps_float32(
    model: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No method passes, then the command runs without --quantize -> the reason, and float32 serves both times."""
    planted_methods.plant(monkeypatch, dict.fromkeys(nncf_network.STEPS, planted_methods.wrong))
    code, _, complained = run(capsys, model, "--images", photographs, "--quantize")
    assert code == 1
    assert complained.startswith(f"No int8 IR: with {FAST} accuracy falls from 1.0000 to 0.0000, ")
    assert "The float32 one serves it; bf16: left out, " in complained
    assert not (model / artifacts.OPENVINO_INT8_DIR).exists()
    assert engines.load(model, artifacts.read_model_info(model), False).name == "openvino"
    assert run(capsys, model)[0] == 0


def test_too_few_images_change_nothing(
    model: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """219 images, a class that the model lacks, no --images -> one sentence each, and every file as it was."""
    before = artifact_checksums.folder_sha256(model)
    few = Path(shutil.copytree(photographs, tmp_path / "few"))
    for path in sorted(few.rglob("*.png"))[: COUNT - 219]:
        path.unlink()
    code, _, complained = run(capsys, model, "--images", few, "--quantize")
    assert (code, complained) == (
        1,
        f"UserError: --images {few} has 219 images, and --quantize takes at least 220: 200 for the gate, and others "
        "for the ranges. Give more images.\n",
    )
    (few / "yellow").mkdir()
    shutil.copyfile(photographs / "red" / "000.png", few / "yellow" / "0.png")
    code, _, complained = run(capsys, model, "--images", few, "--quantize")
    assert code == 1
    assert "yellow" in complained
    assert len(complained.splitlines()) == 1
    with pytest.raises(SystemExit):
        run(capsys, model, "--quantize")
    assert "--quantize needs --images DIR with one folder for each class" in capsys.readouterr().err
    assert artifact_checksums.folder_sha256(model) == before


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("seconds", "long", "whose record in the model info is invalid"),
        ("f32_sha256", "another", "which was made of another float32 IR"),
    ],
)
def test_unusable_int8_is_removed(
    model: Path,
    photographs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: str,
    value: str,
    why: str,
) -> None:
    """The record is invalid, or of another network -> a conversion removes both with a line, as errors advise."""
    planted_methods.plant(monkeypatch, {FAST: planted_methods.good})
    assert run(capsys, model, "--images", photographs, "--quantize")[0] == 0
    info = json.loads((model / artifacts.MODEL_INFO_FILE).read_text())
    info["precisions"]["int8"][key] = value
    durable_files.write_json(model / artifacts.MODEL_INFO_FILE, info)
    code, said, _ = run(capsys, model)
    assert code == 0
    assert f"Removed the int8 IR, {why}." in said
    assert not (model / artifacts.OPENVINO_INT8_DIR).exists()
    assert "int8" not in artifacts.read_model_info(model).extra["precisions"]


def test_background_that_is_no_output_moves_no_class(
    model: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labels that begin with background, for which there is no output -> the accuracy of serving; its images: none."""
    artifacts.write_labels(model, ("background", *colours.LABELS))
    planted_methods.plant(monkeypatch, {FAST: planted_methods.good})
    assert run(capsys, model, "--images", photographs, "--quantize")[0] == 0
    found = precision_record.read_int8(model, artifacts.read_model_info(model))
    assert found is not None
    assert found.gate.accuracy_f32 == 1.0
    others = Path(shutil.copytree(photographs, tmp_path / "others"))
    (others / "red").rename(others / "background")
    code, _, complained = run(capsys, model, "--images", others, "--quantize")
    assert code == 1
    assert "has images of background, of which" in complained


def test_unreadable_images_are_skipped_and_said(
    model: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Texts among 440 images -> a line about them; as many among 240 leave too few for the gate: nothing changes."""
    planted_methods.plant(monkeypatch, {FAST: planted_methods.good})
    many = Path(shutil.copytree(photographs, tmp_path / "many"))
    for path in sorted(photographs.rglob("*.png"))[:200]:
        shutil.copyfile(path, many / path.parent.name / f"again-{path.name}")
    before = artifact_checksums.folder_sha256(model)
    few = Path(shutil.copytree(photographs, tmp_path / "few"))
    for folder in (few, many):
        for path in sorted((folder / "red").iterdir())[:9]:
            path.write_text("no image")
    code, _, complained = run(capsys, model, "--images", few, "--quantize")
    assert code == 1
    assert complained.startswith("UserError: Only 1")
    assert "for its gate are readable, and it takes at least 200; the first of the others, red/" in complained
    assert "known format" in complained
    assert len(complained.splitlines()) == 1
    assert artifact_checksums.folder_sha256(model) == before
    code, said, complained = run(capsys, model, "--images", many, "--quantize")
    assert (code, complained) == (0, "")
    assert said.startswith("Skipped 9 unreadable image(s); the first is red/")


def test_without_nncf_an_earlier_int8_stays(
    model: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model with int8, where NNCF is not installed -> one sentence, and every file as it was."""
    planted_methods.plant(monkeypatch, {FAST: planted_methods.good})
    assert run(capsys, model, "--images", photographs, "--quantize")[0] == 0
    before = artifact_checksums.folder_sha256(model)
    monkeypatch.setattr(nncf_network, "is_installed", lambda: False)
    code, said, complained = run(capsys, model, "--images", photographs, "--quantize")
    assert (code, said) == (1, "")
    assert complained.startswith("UserError: --quantize needs NNCF, which is not installed here. ")
    assert artifact_checksums.folder_sha256(model) == before


def test_interrupt_after_int8_leaves_it_with_its_record(
    model: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C while bf16 is judged -> the new int8 IR is in place and recorded, and is served."""
    planted_methods.plant(monkeypatch, {FAST: planted_methods.good})

    def interrupt(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bf16, "with_result", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(capsys, model, "--images", photographs, "--quantize")
    found = precision_record.read_int8(model, artifacts.read_model_info(model))
    assert found is not None
    precision_record.check_undamaged(model, found)


def test_full_disk_is_no_claim_about_what_a_folder_holds(
    model: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk is full after float32 was added -> an archive is said to be unchanged, and is; a folder is not."""

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(quantisation, "with_result", full)
    archive = tmp_path / "model.tar.gz"
    archives.pack(model, archive)
    before = archive.read_bytes()
    for given, words in ((archive, "is unchanged, since it cannot be written"), (model, "cannot be written")):
        code, _, complained = run(capsys, given, "--images", photographs, "--quantize")
        assert (code, complained) == (1, f"PlatformError: {given} {words}: [Errno 28] No space left on device.\n")
    assert archive.read_bytes() == before
    assert engines.load(model, artifacts.read_model_info(model), False).name == "openvino"


@pytest.mark.every
def test_nncf_adds_int8_to_an_archive(
    colour_model: Callable[[str], Path], photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command with NNCF on an archive -> an int8 IR with figures, or the reason; no progress bars."""
    archives.pack(colour_model("pixels"), tmp_path / "model.tar.gz")
    code, said, complained = run(capsys, tmp_path / "model.tar.gz", "--images", photographs, "--quantize")
    assert (code, complained) == (0, "")
    assert "It also has an int8 IR: on 200 validation images accuracy 1.0000" in said
    assert len(said.splitlines()) == 3
