"""The model folder as one object."""

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from image_classifier import artifacts, imaging
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import AlgorithmError, UserError
from image_classifier.contract.imaging_versions import VERSIONS
from image_classifier.imaging import ImageRejected
from image_classifier.inference.decode_work import BATCH
from image_classifier.inference.layout import check_layout
from image_classifier.inference.prediction import Prediction
from image_classifier.inference.predictor import Predictor
from tests.unit.inference import colours

Encode = Callable[[NDArray[np.uint8]], bytes]


@pytest.fixture
def copied_either(either_model: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function from a form to a copy of the model folder of the engine of this run."""

    def copy(form: str = "both") -> Path:
        return Path(shutil.copytree(either_model(form), tmp_path / "model"))

    return copy


@pytest.fixture
def copied(colour_model: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function from a form to a copy of its model folder that may be corrupt."""

    def copy(form: str = "both") -> Path:
        return Path(shutil.copytree(colour_model(form), tmp_path / "model"))

    return copy


def test_images_get_their_labels(either_model: Callable[[str], Path], halves: NDArray[np.uint8], png: Encode) -> None:
    """More images than are classified at once -> a prediction each, in order, with names and probabilities."""
    predictor = Predictor.load(either_model("both"))
    predictor.warm_up()
    count = 2 * BATCH + 3
    found = predictor.predict([png(halves[n % 3]) for n in range(count)])
    assert [prediction.predicted_label for prediction in found] == [colours.LABELS[n % 3] for n in range(count)]
    assert all(prediction.probabilities.sum() == pytest.approx(1, abs=1e-5) for prediction in found)
    assert predictor.predict([]) == []


@pytest.mark.parametrize(("form", "row", "label"), [("both", 2, "blue"), ("binary", 1, "green"), ("binary", 0, "red")])
def test_predictions_are_explained(
    either_model: Callable[[str], Path], png: Encode, form: str, row: int, label: str
) -> None:
    """A square of one colour in the left half, by both engines, also in binary mode -> the map of its label."""
    pixels = np.full((*colours.SIZE, 3), 90, np.uint8)
    pixels[4:12, 2:10] = np.eye(3, dtype=np.uint8)[row] * 255
    predictor = Predictor.load(either_model(form))
    found, plain = predictor.explain(png(pixels)), predictor.predict([png(pixels)])[0]
    assert found.predicted_label == plain.predicted_label == label
    assert found.probabilities == pytest.approx(plain.probabilities, abs=1e-6)
    explanation = found.explanation
    assert explanation is not None
    assert explanation.probability == pytest.approx(plain.class_probabilities[plain.predicted_index], abs=1e-6)
    assert explanation.probability >= 0.5 or form == "both"
    assert explanation.reliable
    assert explanation.drops[:, :14].sum() > explanation.drops[:, 14:].sum()


def test_features_are_those_of_the_network(either_model: Callable[[str], Path], halves: NDArray[np.uint8]) -> None:
    """A model that answers features -> both engines give each image its own; a model that does not -> none."""
    found = Predictor.load(either_model("pixels")).classify(halves)
    middle = colours.SIZE[1] // 2
    expected = [[*one[:, :middle].mean((0, 1)), *one[:, middle:].mean((0, 1))] for one in halves / 255]
    assert np.array([prediction.features for prediction in found]) == pytest.approx(np.array(expected), abs=1e-5)
    assert Predictor.load(either_model("both")).classify(halves)[0].features is None


def test_duration_of_both_stages_is_observed_for_each_batch(
    either_model: Callable[[str], Path], halves: NDArray[np.uint8], png: Encode
) -> None:
    """Given one image more than a batch -> two durations each for decode and engine; given a rejected image -> none."""
    predictor = Predictor.load(either_model("both"))
    seen: list[tuple[str, float]] = []
    predictor.predict([png(halves[0])] * (BATCH + 1), observe=lambda stage, seconds: seen.append((stage, seconds)))
    assert [stage for stage, _ in seen] == ["decode", "engine"] * 2
    assert all(0 < seconds < 60 for _, seconds in seen)
    with pytest.raises(ImageRejected):
        predictor.predict([b"text"], observe=lambda stage, seconds: pytest.fail(stage))


def test_rejected_image_does_not_affect_the_others(
    either_model: Callable[[str], Path], halves: NDArray[np.uint8], png: Encode
) -> None:
    """Given images around a text and an empty one -> each classified as if alone, rejections in their places."""
    predictor = Predictor.load(either_model("both"))
    images = [b"text", png(halves[2]), b"", png(halves[0])]
    found = predictor.predict_each(images)
    codes = [entry.code if isinstance(entry, ImageRejected) else entry.predicted_label for entry in found]
    assert codes == ["unsupported_format", "blue", "empty", "red"]
    answered = [entry.probabilities for entry in found if isinstance(entry, Prediction)]
    alone = [prediction.probabilities for prediction in predictor.predict([images[1], images[3]])]
    np.testing.assert_array_equal(answered, alone)
    assert len(predictor.predict_each([b"text"])) == 1


def test_warm_up_goes_through_decoder_and_engine(
    either_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that is warmed up -> a JPEG was decoded to its size."""
    decoded: list[str] = []
    decode = imaging.decode

    def watched(header: imaging.Header, size: tuple[int, int], method: str, version: int) -> NDArray[np.uint8]:
        decoded.append(header.format)
        return decode(header, size, method, version)

    monkeypatch.setattr(imaging, "decode", watched)
    Predictor.load(either_model("both")).warm_up()
    assert decoded == ["JPEG"]


def test_binary_mode_names_the_second_class_from_a_half_on() -> None:
    """One probability for two labels: 0.49, 0.5 -> the first label, the second; the most probable come as a pair."""
    below, half = (
        Prediction(("cat", "dog"), np.array([0.49], np.float32)),
        Prediction(("cat", "dog"), np.array([0.5], np.float32)),
    )
    assert (below.predicted_label, half.predicted_label) == ("cat", "dog")
    both, one = below.most_probable(2), half.most_probable(1)
    assert (both.labels, both.probabilities.tolist()) == (("cat", "dog"), pytest.approx([0.51, 0.49]))
    assert (one.labels, one.probabilities.tolist()) == (("dog",), [0.5])
    assert half.most_probable(2).predicted_label == "dog"


def test_binary_model_is_loaded_with_two_labels(either_model: Callable[[str], Path], halves: NDArray[np.uint8]) -> None:
    """A sigmoid model with two labels -> predictions with one probability and both labels."""
    red, green, _ = Predictor.load(either_model("binary")).classify(halves)
    assert (red.predicted_label, green.predicted_label) == ("red", "green")
    assert (len(green.probabilities), green.labels) == (1, ("red", "green"))


@pytest.mark.parametrize(("count", "labels"), [(1, "b"), (2, "bc"), (3, "bca"), (9, "bca")])
def test_most_probable_are_sorted(count: int, labels: str) -> None:
    """The k most probable of three, two of them equal -> sorted, equals in index order, no more than there are."""
    best = Prediction(("a", "b", "c"), np.array([0.2, 0.4, 0.4], np.float32)).most_probable(count)
    assert best.labels == tuple(labels)
    assert list(best.probabilities) == sorted(best.probabilities, reverse=True)


@pytest.mark.parametrize(("threshold", "labels"), [(0.0, "bca"), (0.2, "bca"), (0.21, "bc"), (0.4, "bc"), (0.41, "")])
def test_classes_from_a_threshold_on_are_sorted(threshold: float, labels: str) -> None:
    """Thresholds below, at and above the probabilities -> the classes that reach it, the most probable first."""
    found = Prediction(("a", "b", "c"), np.array([0.2, 0.4, 0.4], np.float32)).at_least(threshold)
    assert found.labels == tuple(labels)
    assert found.probabilities.tolist() == pytest.approx([0.4, 0.4, 0.2][: len(labels)])


def test_threshold_of_a_binary_prediction_counts_both_classes() -> None:
    """P(dog) = 0.3 -> cat from 0.7 on down, both from 0.3 on down, and at a half the second comes first."""
    binary = Prediction(("cat", "dog"), np.array([0.3], np.float32))
    assert [binary.at_least(t).labels for t in (0.71, 0.7, 0.3)] == [(), ("cat",), ("cat", "dog")]
    assert Prediction(("cat", "dog"), np.array([0.5], np.float32)).at_least(0.5).most_probable(1).labels == ("dog",)


def test_rejected_image_is_named_among_several(
    either_model: Callable[[str], Path], halves: NDArray[np.uint8], png: Encode
) -> None:
    """A text among images -> rejected with its place; alone -> rejected without one."""
    predictor = Predictor.load(either_model("both"))
    with pytest.raises(ImageRejected, match=r"^Image 2 of 3: The bytes are not an image") as found:
        predictor.predict([png(halves[0]), b"text", png(halves[1])])
    assert found.value.code == "unsupported_format"
    with pytest.raises(ImageRejected, match=r"^The bytes are not an image"):
        predictor.predict([b"text"])


@pytest.mark.parametrize("labels", [("a", "b"), ("a", "b", "c", "d"), ("a",)])
def test_label_map_of_another_length_is_rejected(copied_either: Callable[[], Path], labels: tuple[str, ...]) -> None:
    """Fewer or more labels than outputs -> rejected with both counts."""
    folder = copied_either()
    artifacts.write_labels(folder, labels)
    with pytest.raises(UserError, match=f"names {len(labels)} classes, but the model returns 3 probabilities"):
        Predictor.load(folder)


def test_background_label_is_dropped_for_a_head_without_it(copied_either: Callable[[], Path]) -> None:
    """A label map that begins with background, one longer than the outputs -> the names without it."""
    folder = copied_either()
    artifacts.write_labels(folder, ("background", *colours.LABELS))
    assert Predictor.load(folder).labels == colours.LABELS


def test_model_that_answers_nan_is_not_served(tmp_path: Path, halves: NDArray[np.uint8]) -> None:
    """Given a NaN weight -> warming up fails, and a request gets AlgorithmError, never NaN."""
    predictor = Predictor.load(colours.save(tmp_path, sharpness=float("nan")))
    with pytest.raises(UserError, match=r"not finite \(NaN or infinity\)\. Its weights are corrupt"):
        predictor.warm_up()
    with pytest.raises(AlgorithmError, match="not finite"):
        predictor.classify(halves)


def test_unsafe_model_needs_trust(copied: Callable[[], Path]) -> None:
    """A graph with an operation of the forbidden list -> rejected, unless it is trusted."""
    import tensorflow as tf

    folder = copied()
    module = tf.__internal__.tracking.AutoTrackable()
    specification = tf.TensorSpec((None, *colours.SIZE, 3), tf.uint8, name="pixels")

    def answer(pixels):  # type: ignore[no-untyped-def]
        length = tf.cast(tf.strings.length(tf.io.read_file(__file__)), tf.float32)
        return {"probabilities": tf.nn.softmax(tf.reduce_mean(tf.cast(pixels, tf.float32), [1, 2]) / length)}

    signature = tf.function(answer, input_signature=[specification])
    tf.saved_model.save(module, str(folder / "1"), signatures={"pixels": signature})
    with pytest.raises(UserError, match="ReadFile"):
        Predictor.load(folder)
    assert Predictor.load(folder, trust=True).labels == colours.LABELS


def remove_index(folder: Path) -> None:
    """Take the weights' index away."""
    (folder / "1" / "variables" / "variables.index").unlink()


def duplicate(folder: Path) -> None:
    """Leave two SavedModels, neither of them under 1/."""
    (folder / "1").rename(folder / "first")
    shutil.copytree(folder / "first", folder / "second")


def remove_labels(folder: Path) -> None:
    """Take both label files away."""
    for path in folder.glob("*label*"):
        path.unlink()


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: shutil.rmtree(folder), "does not exist. A training job writes one"),
    (lambda folder: shutil.rmtree(folder / "1"), "contains no SavedModel"),
    (duplicate, "several SavedModels"),
    (remove_index, "lacks variables.index"),
    (remove_labels, "has no labels_info.json"),
    (lambda folder: (folder / "labels_info.json").write_text('{"labels": []}'), "must contain"),
    (lambda folder: (folder / "labels_info.json").write_text(r'{"labels": ["\ud83c"]}'), "must contain"),
    (lambda folder: (folder / "__model_info__.json").write_text("{"), "is not valid JSON"),
    (lambda folder: artifacts.write_model_info(folder, ModelInfo(output="features")), "is a backbone"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE, ids=[message for _, message in DAMAGE])
def test_layout_is_checked_without_loading(
    copied: Callable[[], Path], damage: Callable[[Path], object], message: str
) -> None:
    """Each thing that can be missing or broken in a model folder -> one sentence; the sound folder -> none."""
    folder = copied()
    check_layout(folder)
    damage(folder)
    with pytest.raises(UserError, match=message):
        check_layout(folder)


@pytest.mark.parametrize("version", VERSIONS)
def test_model_is_served_with_the_pixels_it_was_trained_on(copied_either: Callable[[str], Path], version: int) -> None:
    """A model of each imaging version, and an image of noise -> that version's pixels, which differ."""
    folder = copied_either("both")
    artifacts.write_model_info(folder, replace(artifacts.read_model_info(folder), imaging_version=version))
    predictor, file = Predictor.load(folder), io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (97, 131, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    size = predictor.info.image_size
    by_version = {each: imaging.load_pixels(file.getvalue(), size, version=each) for each in VERSIONS}
    assert not np.array_equal(by_version[1], by_version[2])
    assert np.array_equal(predictor.pixels(file.getvalue()), by_version[version])
