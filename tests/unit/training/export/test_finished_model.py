"""The written SavedModel, loaded again in the job."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier import artifacts, imaging
from image_classifier.contract.errors import AlgorithmError
from image_classifier.inference.engines import tensorflow
from image_classifier.inference.openvino_model import conversion
from image_classifier.inference.predictor import Predictor
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.export import finished_model
from image_classifier.training.stopping import StopSignal
from tests.unit.inference import colours
from tests.unit.training import small


def test_pixels_and_bytes_are_answered_alike(tmp_path: Path, read_data: Callable[..., DataSplits]) -> None:
    """Fifteen images -> what the serving code answers, in parts of eight, by both signatures."""
    folder = colours.save(tmp_path / "model")
    model = finished_model.load(folder / "1", artifacts.read_model_info(folder))
    paths = [example.path for example in read_data(small.write_images(tmp_path / "data")).validation.examples]
    served = [found.probabilities for found in Predictor.load(folder).predict([path.read_bytes() for path in paths])]
    np.testing.assert_allclose(model.predict_images(paths, StopSignal()), served, atol=1e-6)
    found = model.predict_bytes(paths, StopSignal())
    np.testing.assert_allclose(found.probabilities, served, atol=2e-2)
    assert (found.rows.tolist(), found.left_out) == (list(range(15)), 0)


def encoded(form: str) -> bytes:
    """Return an image that Pillow decodes and TensorFlow does not."""
    image, stream = Image.new("RGB", (48, 40), (20, 20, 200)), io.BytesIO()
    if form == "animated WebP":
        image.save(stream, "WEBP", save_all=True, append_images=[Image.new("RGB", (48, 40))])
    elif form == "BMP of 1 bit":
        image.convert("1").save(stream, "BMP")
    elif form == "run-length BMP":
        palette = b"".join(bytes([level, level, level, 0]) for level in range(256))
        raster = b"\x08\x05\0\0" * 4 + b"\0\1"
        start = 54 + len(palette)
        stream.write(b"BM" + struct.pack("<IHHI", start + len(raster), 0, 0, start))
        stream.write(struct.pack("<IiiHHIIiiII", 40, 8, 4, 1, 8, 1, len(raster), 0, 0, 256, 0) + palette + raster)
    else:
        image.save(stream, "PNG")
        png = bytearray(stream.getvalue())
        place = png.index(b"IDAT")
        png[place + 4 + int.from_bytes(png[place - 4 : place])] ^= 0xFF
        return bytes(png)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["animated WebP", "BMP of 1 bit", "run-length BMP", "PNG with a wrong IDAT checksum"])
def test_image_that_tensorflow_does_not_decode_is_left_out(
    tmp_path: Path, read_data: Callable[..., DataSplits], form: str
) -> None:
    """One of ten images decoded by Pillow alone -> the other nine are answered, by their rows, and it is counted."""
    folder = colours.save(tmp_path / "model")
    info = artifacts.read_model_info(folder)
    model = finished_model.load(folder / "1", info)
    paths = [one.path for one in read_data(small.write_images(tmp_path / "data")).validation.examples][:10]
    paths[4].write_bytes(encoded(form))
    assert imaging.load_pixels(paths[4].read_bytes(), info.image_size).any()
    found = model.predict_bytes(paths, StopSignal())
    assert (found.rows.tolist(), found.left_out) == ([0, 1, 2, 3, 5, 6, 7, 8, 9], 1)
    np.testing.assert_allclose(
        found.probabilities, model.predict_images([paths[row] for row in found.rows], StopSignal()), atol=2e-2
    )
    none = model.predict_bytes([paths[4]], StopSignal())
    assert (len(none.rows), len(none.probabilities), none.left_out) == (0, 0, 1)


@pytest.mark.parametrize("as_graph", [False, True])
def test_network_for_the_ir_keeps_the_features(tmp_path: Path, as_graph: bool) -> None:
    """A model with features, handed on as a SavedModel and as a graph -> an IR with TensorFlow's features."""
    folder = colours.save(tmp_path / "model", "pixels")
    info = artifacts.read_model_info(folder)
    if as_graph:
        network = finished_model.load(folder / "1", info).write_graph(tmp_path / "graph.pb")
    else:
        network = finished_model.with_pixels_alone(folder / "1", tmp_path / "view")
    conversion.write(network, tmp_path / "ir")
    pixels = conversion.synthetic_images(info).pixels
    found, expected = (
        conversion.load(tmp_path / "ir", info).run(pixels),
        tensorflow.load_engine(folder, info).run(pixels),
    )
    assert found.features is not None
    assert expected.features is not None
    np.testing.assert_allclose(found.features, expected.features, atol=1e-5)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)


def test_nothing_is_asked_without_time(tmp_path: Path) -> None:
    """Stop requested -> no predictions, not an error."""
    folder = colours.save(tmp_path / "model")
    model = finished_model.load(folder / "1", artifacts.read_model_info(folder))
    stop = StopSignal()
    stop.set()
    assert len(model.predict_bytes([tmp_path / "no such image"], stop).rows) == 0


def test_damaged_model_is_ours_to_explain(tmp_path: Path) -> None:
    """A SavedModel without its weights -> AlgorithmError with the folder."""
    folder = colours.save(tmp_path / "model")
    (folder / "1" / "variables" / "variables.index").unlink()
    with pytest.raises(AlgorithmError, match=r"finished model in .*/1 cannot be loaded again"):
        finished_model.load(folder / "1", artifacts.ModelInfo(image_size=colours.SIZE))
