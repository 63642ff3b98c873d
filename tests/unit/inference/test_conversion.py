"""Making an OpenVINO IR: of every form of model, checked, whole or not at all."""

import math
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier import artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.inference import engines
from image_classifier.inference.openvino_model import conversion
from image_classifier.inference.openvino_model.conversion import ComparisonImages, NotConverted
from tests.support import tiny_models
from tests.unit.inference import colours

INFO = ModelInfo(image_size=colours.SIZE)
PIXELS = tf.TensorSpec((None, *colours.SIZE, 3), tf.uint8, name="pixels")


def save(folder: Path, answer: Callable[[Any], Any], specification: Any = PIXELS, name: str = "pixels") -> Path:
    """Save a function as a signature that answers probabilities."""
    signature = tf.function(lambda given: {"probabilities": answer(given)}, input_signature=[specification])
    tf.saved_model.save(tf.Module(), str(folder / "1"), signatures={name: signature})
    return folder


def means(pixels: Any) -> Any:
    """Answer the softmax of the colours' means."""
    return tf.nn.softmax(tf.reduce_mean(tf.cast(pixels, tf.float32) / 25.5, [1, 2]))


def convert(folder: Path, info: ModelInfo = INFO) -> Any:
    """Convert on synthetic images."""
    return conversion.convert(folder, info, conversion.synthetic_images(info))


@pytest.mark.parametrize("form", colours.FORMS)
def test_every_form_is_converted_and_measured(tmp_path: Path, form: str) -> None:
    """Each way to call a model -> an IR, no other answer, |dp| far below the limit, both checksums."""
    folder = colours.save(tmp_path, form)
    record = convert(folder, artifacts.read_model_info(folder))
    assert sorted(path.name for path in (folder / "openvino").iterdir()) == ["model.bin", "model.xml"]
    assert record.largest_difference < 1e-4
    assert (record.other_answers, record.images, record.synthetic) == (0, 50, True)
    assert record.sha256 == artifact_checksums.folder_sha256(folder / "openvino")
    assert record.network_sha256 == artifact_checksums.network_sha256(folder / "1")


@pytest.mark.parametrize(("form", "names"), [("pixels", ["probabilities", "features"]), ("both", ["probabilities"])])
def test_outputs_have_their_names_and_probabilities_come_first(tmp_path: Path, form: str, names: list[str]) -> None:
    """A model with features and one without -> two named outputs and one, read from the files."""
    import openvino

    folder = colours.save(tmp_path, form)
    convert(folder)
    model = openvino.Core().read_model(folder / "openvino" / "model.xml")
    assert [output.get_any_name() for output in model.outputs] == names


def test_features_are_tensorflows(tmp_path: Path) -> None:
    """A model that answers features -> both engines answer the same for fifty synthetic images."""
    from image_classifier.inference.engines import openvino, tensorflow

    folder = colours.save(tmp_path, "pixels")
    convert(folder)
    pixels = conversion.synthetic_images(INFO).pixels
    expected = tensorflow.load_engine(folder, INFO).run(pixels)
    found = openvino.load_engine(folder / "openvino", INFO).run(pixels)
    assert found.features is not None
    assert found.features == pytest.approx(expected.features, abs=1e-5)
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    assert found.features.std(axis=0).min() > 0.1


def test_folder_with_a_comma_in_its_name(tmp_path: Path) -> None:
    """A model folder whose path has a comma, OpenVINO's separator of paths -> converted all the same."""
    assert convert(save(tmp_path / "one, two", means)).other_answers == 0


@pytest.mark.parametrize("scaled", [pytest.param(False, marks=pytest.mark.every), True])
def test_graph_that_decodes_is_cut_behind_its_decoder(tmp_path: Path, halves: NDArray[np.uint8], scaled: bool) -> None:
    """Bytes decoded to float images, scaled in the map or after it, no other way to call -> TensorFlow's answers."""

    def decode(one: Any) -> Any:
        image = tf.image.resize(tf.io.decode_image(one, channels=3, expand_animations=False), colours.SIZE)
        return image / 255.0 if scaled else image

    def answer(encoded: Any) -> Any:
        images = tf.map_fn(decode, encoded, fn_output_signature=tf.TensorSpec((*colours.SIZE, 3), tf.float32))
        return means(images * 255.0 if scaled else images)

    folder = save(tmp_path, answer, tf.TensorSpec((None,), tf.string), "serving_default")
    convert(folder)
    from image_classifier.inference.engines import openvino, tensorflow

    expected = tensorflow.load_engine(folder, INFO).probabilities(halves)
    found = openvino.load_engine(folder / "openvino", INFO).probabilities(halves)
    assert found == pytest.approx(expected, abs=1e-5)
    assert expected.argmax(axis=1).tolist() != [0, 0, 0]


def no_rule(pixels: Any) -> Any:
    """Answer by way of an operation that OpenVINO has no rule for."""
    return means(pixels) + 0 * tf.cast(tf.strings.length(tf.strings.as_string(means(pixels))), tf.float32)


def random_answer(pixels: Any) -> Any:
    """Answer something else each time."""
    return tf.nn.softmax(9 * tf.random.uniform((tf.shape(pixels)[0], 3)))


def no_number(pixels: Any) -> Any:
    """Answer NaN."""
    return means(pixels) * math.nan


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (no_rule, r"^OpenVINO cannot convert it: No conversion rule found for operations: "),
        (
            random_answer,
            r"^on 50 images its probabilities differ from TensorFlow's by up to 0\.\d+ \(allowed: 0\.001\)$",
        ),
        (no_number, r"differ from TensorFlow's by up to nan"),
    ],
)
def test_what_does_not_convert_or_agree_leaves_nothing(
    tmp_path: Path, answer: Callable[[Any], Any], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """An operation without a rule, other answers, NaN -> the reason, nothing beside the SavedModel, nothing printed."""
    folder = save(tmp_path, answer)
    capfd.readouterr()
    with pytest.raises(NotConverted, match=reason):
        convert(folder)
    assert [path.name for path in folder.iterdir()] == ["1"]
    assert capfd.readouterr() == ("", "")


def test_failed_conversion_keeps_the_ir_that_was_there(tmp_path: Path) -> None:
    """A second conversion against a model that answers at random -> the first IR as it was."""
    folder = save(tmp_path / "model", means)
    convert(folder)
    before = artifact_checksums.folder_sha256(folder / "openvino")
    save(tmp_path / "model", random_answer)
    with pytest.raises(NotConverted):
        convert(folder)
    assert artifact_checksums.folder_sha256(folder / "openvino") == before


def test_second_conversion_replaces_the_first(tmp_path: Path) -> None:
    """The same folder with another SavedModel, converted again -> an IR of the new one, by the same name."""
    folder = colours.save(tmp_path)
    first = convert(folder)
    colours.save(tmp_path, sharpness=3.0)
    second = convert(folder)
    assert first.network_sha256 != second.network_sha256
    assert artifact_checksums.folder_sha256(folder / "openvino") == second.sha256 != first.sha256


def test_weights_are_not_compressed(tmp_path: Path, halves: NDArray[np.uint8]) -> None:
    """A weight that 16 bits cannot hold -> the IR answers as TensorFlow does, to float32's rounding."""
    folder = colours.save(tmp_path, sharpness=12.3456789)
    info = artifacts.read_model_info(folder)
    record = conversion.convert(folder, info, ComparisonImages(halves, synthetic=False))
    assert record.largest_difference < 1e-6
    assert b"f16" not in (folder / "openvino" / "model.xml").read_bytes()
    assert engines.load(folder, replace(info, extra={}), False).name == "tensorflow"


def test_synthetic_images_are_reproducible_and_cover_the_range() -> None:
    """Given equal and different seeds -> equal and different images, with dark and bright pixels in every channel."""
    first, again, other = (conversion.synthetic_images(INFO, seed).pixels for seed in (0, 0, 1))
    assert first.shape == (50, *colours.SIZE, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first.min(axis=(0, 1, 2)) == 0).all()
    assert (first.max(axis=(0, 1, 2)) == 255).all()


def test_full_disk_is_an_error_of_the_disk(tmp_path: Path) -> None:
    """Files of at most a megabyte, and a network of 4 -> an OSError with the free space; without the limit, a file."""
    import openvino

    source = tiny_models.write(tmp_path / "model", "a", megabytes=4).folder / artifacts.OPENVINO_DIR
    model = openvino.Core().read_model(source / "model.xml")
    # In the place of a full disk, which for OpenVINO is the same: a stream that fails.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"OpenVINO cannot write all of it \(.*\); [0-9,]+ bytes are free"):
            conversion.save(model, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    conversion.save(model, tmp_path)
    assert (tmp_path / "model.bin").stat().st_size > 3_000_000
