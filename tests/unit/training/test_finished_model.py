"""The written SavedModel, loaded again in the job."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from image_classifier import artifacts
from image_classifier.contract.errors import AlgorithmError
from image_classifier.inference import conversion
from image_classifier.inference.engines import tensorflow
from image_classifier.inference.predictor import Predictor
from image_classifier.training import finished_model
from image_classifier.training.data import Data
from image_classifier.training.stopping import Stop
from tests.unit.inference import colours
from tests.unit.training import small


def test_pixels_and_bytes_are_answered_alike(tmp_path: Path, read_data: Callable[..., Data]) -> None:
    """Fifteen pictures -> what the serving code answers, in parts of eight, by both signatures."""
    folder = colours.save(tmp_path / "model")
    model = finished_model.load(folder / "1", artifacts.read_model_info(folder))
    paths = [example.path for example in read_data(small.write_pictures(tmp_path / "data")).validation.examples]
    served = [found.probabilities for found in Predictor.load(folder).predict([path.read_bytes() for path in paths])]
    np.testing.assert_allclose(model.answers_to_pixels(paths, Stop()), served, atol=1e-6)
    np.testing.assert_allclose(model.answers_to_bytes(paths, Stop()), served, atol=2e-2)
    assert len(paths) == 15


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
    pixels = conversion.made_up_sample(info).pixels
    found, expected = (
        conversion.load(tmp_path / "ir", info).run(pixels),
        tensorflow.load_engine(folder, info).run(pixels),
    )
    assert found.features is not None
    assert expected.features is not None
    np.testing.assert_allclose(found.features, expected.features, atol=1e-5)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)


def test_nothing_is_asked_without_time(tmp_path: Path) -> None:
    """Told to stop -> no answers, not an error."""
    folder = colours.save(tmp_path / "model")
    model = finished_model.load(folder / "1", artifacts.read_model_info(folder))
    stop = Stop()
    stop.set()
    assert len(model.answers_to_bytes([tmp_path / "no such picture"], stop)) == 0


def test_damaged_model_is_ours_to_explain(tmp_path: Path) -> None:
    """A SavedModel without its weights -> AlgorithmError with the folder."""
    folder = colours.save(tmp_path / "model")
    (folder / "1" / "variables" / "variables.index").unlink()
    with pytest.raises(AlgorithmError, match=r"finished model in .*/1 cannot be loaded again"):
        finished_model.load(folder / "1", artifacts.ModelInfo(image_size=colours.SIZE))
