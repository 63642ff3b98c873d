"""scripts/import-model: a model folder of ours from an artefact of the built-in algorithm, and what differs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier import archives, artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.cli import import_model
from image_classifier.inference.predictor import Predictor
from tests.support import buckets, builtin_artifact
from tests.unit.inference import colours
from tests.unit.training import small


@pytest.fixture
def artefact(colour_model: Callable[[str], Path], tmp_path: Path) -> Path:
    """The files of an artefact whose signature takes image files, with the built-in's model info and a script."""
    folder = Path(shutil.copytree(colour_model("bytes"), tmp_path / "artefact"))
    (folder / artifacts.MODEL_INFO_FILE).unlink()
    info = {"image_size": list(colours.SIZE), "pixel_scaling_method": "normalize", "finetuned": True}
    (folder / "model_info.json").write_text(json.dumps(info))
    (folder / "code").mkdir()
    (folder / "code/inference.py").write_text("raise SystemExit('never run')")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three images of one colour, and one that lies on its side: red at the top, blue at the bottom."""
    (tmp_path / "photos/more").mkdir(parents=True)
    for index, name in enumerate(("red", "green", "more/blue")):
        pixels = np.full((60, 80, 3), 60, np.uint8)
        pixels[..., index] = 200
        Image.fromarray(pixels).save(tmp_path / f"photos/{name}.png")
    # Turned upright, its blue bottom is on the left.
    pixels = np.zeros((80, 60, 3), np.uint8)
    pixels[:40, :, 0] = pixels[40:, :, 2] = 200
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "photos/side.jpg", exif=exif, quality=95)
    return tmp_path / "photos"


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the command; returns its exit code and what it printed."""
    code = import_model.main([str(word) for word in words])
    return code, *capsys.readouterr()


def test_artefact_becomes_a_model_folder(
    artefact: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An archive and images, one of them on its side -> our folder, the table, and the one class that differs."""
    archive, output = tmp_path / "model.tar.gz", tmp_path / "imported"
    archives.pack(artefact, archive)
    before = archive.read_bytes()
    code, said, complained = run(capsys, archive, "--output", output, "--images", photos)
    assert (code, complained) == (0, "")
    assert archive.read_bytes() == before
    assert "Not run: code/inference.py" in said
    labels = (artifacts.LABELS_FILE, artifacts.CLASS_INDEX_FILE)
    assert {path.name for path in output.iterdir()} == {"1", "openvino", artifacts.MODEL_INFO_FILE, *labels}
    assert artifact_checksums.folder_sha256(output / "1") == artifact_checksums.folder_sha256(artefact / "1")
    info = artifacts.read_model_info(output)
    assert (info.finetuned, info.source) == (True, str(archive))
    for row in ("labels             3 ", "the same order", "24x32, normalize", "OpenVINO; GPU: TensorFlow"):
        assert row in said
    # The signature ignores the orientation: red is predicted where the upright image is blue on the left.
    assert "Answers to 4 images" in said
    assert "the same class for 3;" in said
    assert f"  scripts/serve-locally {output}" in said.splitlines()
    predictor = Predictor.load(output)
    assert predictor.engine.name == "openvino"
    assert predictor.predict([(photos / "more/blue.png").read_bytes()])[0].predicted_label == "blue"
    assert not list(tmp_path.glob(".imported*"))


def test_backbone_is_not_imported(artefact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An artefact without labels, as JumpStart's for training -> one sentence with what it is for."""
    for name in (artifacts.LABELS_FILE, artifacts.CLASS_INDEX_FILE):
        (artefact / name).unlink()
    code, _, complained = run(capsys, artefact, "--output", tmp_path / "out")
    assert code == 1
    assert complained.startswith(f"UserError: {artefact} has no label file.")
    assert "scripts/train-locally --model" in complained
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "words"), [("mine", "is not empty"), ("file", "is a file"), ("link", "is a link")])
def test_nothing_is_replaced(
    artefact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    """A folder with a file, a file, a link as the output -> rejected, and everything stays."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/kept.txt").write_text("kept")
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to("mine")
    code, _, complained = run(capsys, artefact, "--output", tmp_path / name)
    assert code == 1
    assert words in complained
    assert [(tmp_path / path).read_text() for path in ("mine/kept.txt", "file")] == ["kept", "kept"]


def test_missing_artefact_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path where nothing is -> one sentence."""
    code, _, complained = run(capsys, tmp_path / "gone.tar.gz", "--output", tmp_path / "out")
    assert (code, complained.count("\n")) == (1, 1)
    assert "does not exist. Expected a folder or a .tar.gz" in complained


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--output", "artefact/new"), "--output artefact/new is inside the artefact artefact/, which is only read."),
        (("--output", "out", "--images", "gone"), "--images gone is not a folder. Give a folder of images"),
        (("--output", "out", "--images", "photo.txt"), "--images photo.txt is not a folder."),
    ],
)
def test_folders_are_looked_at_first(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    sentence: str,
) -> None:
    """An output inside the artefact, images that are not a folder -> one sentence, and nothing is made."""
    (tmp_path / "artefact").mkdir()
    (tmp_path / "photo.txt").write_text("text")
    monkeypatch.chdir(tmp_path)
    code, _, complained = run(capsys, "artefact/", *words)
    assert (code, complained.count("\n")) == (1, 1)
    assert sentence in complained
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["artefact", "photo.txt"]


def test_messages_keep_the_artefact_as_it_was_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working folder, given as ./ with two SavedModels -> each full stop of the message stays one."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(b"graph")
    monkeypatch.chdir(tmp_path)
    code, _, complained = run(capsys, "./", "--output", tmp_path.with_name("out"))
    assert code == 1
    assert complained.endswith("none of them under 1/. Keep one of them.\n")


@pytest.mark.every
def test_artefact_in_s3_is_imported(
    artefact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An s3:// address of an archive -> our folder, whose model info names the address; its messages do too."""
    archives.pack(artefact, tmp_path / "model.tar.gz")
    with buckets.bucket_on_this_machine(monkeypatch) as bucket:
        uri = bucket.put("job/output/model.tar.gz", (tmp_path / "model.tar.gz").read_bytes())
        code, said, complained = run(capsys, uri, "--output", tmp_path / "out")
        assert (code, complained) == (0, "")
        assert artifacts.read_model_info(tmp_path / "out").source == uri
        assert "Answers to 50 synthetic images" in said
        code, _, complained = run(capsys, f"{uri}.gone.tar.gz", "--output", tmp_path / "other")
    assert code == 1
    assert f"{uri}.gone.tar.gz" in complained


@pytest.mark.every
def test_untrusted_operations_are_rejected(artefact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A SavedModel that reads files -> rejected before TensorFlow loads it, with the user's path; nothing is left."""
    import tensorflow as tf

    module = tf.Module()
    read = tf.function(lambda path: {"probabilities": tf.strings.to_number(tf.io.read_file(path[0]))})
    specification = tf.TensorSpec([None], tf.string, name="bytes")
    shutil.rmtree(artefact / "1")
    tf.saved_model.save(
        module, str(artefact / "1"), signatures={"serving_default": read.get_concrete_function(specification)}
    )
    code, _, complained = run(capsys, artefact, "--output", tmp_path / "out")
    assert code == 1
    assert "ReadFile" in complained
    assert "partial" not in complained
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.every
@pytest.mark.parametrize("binary", [False, True])
def test_model_of_the_builtin_algorithm_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], binary: bool
) -> None:
    """A Keras model in the built-in's layout, synthetic images -> OpenVINO serves it, its answers are close."""
    hub = small.save_backbone(tmp_path / "hub", ModelInfo(image_size=(32, 40)), small.build_network((None, None)))
    labels = ("cat", "dog") if binary else ("cat", "dog", "eel")
    builtin_artifact.save(tmp_path / "model", hub / "1", labels, (32, 40), binary=binary)
    found = import_model.import_model(str(tmp_path / "model"), tmp_path / "out", None)
    assert (found.labels, found.engine, found.reason) == (labels, "openvino", None)
    assert found.answers is not None
    assert (found.answers.images, found.answers.synthetic) == (50, True)
    assert found.answers.same_class >= 45
