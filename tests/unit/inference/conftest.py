"""Fixtures of the inference tests."""

import functools
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.unit.inference import colours


@pytest.fixture(scope="session")
def colour_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from a form to the model folder of the small classifier; to be left as it is."""
    return functools.partial(colours.saved_once, tmp_path_factory)


@pytest.fixture(scope="session")
def converted_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function like `colour_model` whose folders have an OpenVINO IR."""
    return functools.partial(colours.converted_once, tmp_path_factory)


@pytest.fixture(params=["openvino", "tensorflow"])
def either_model(
    request: pytest.FixtureRequest, colour_model: Callable[[str], Path], converted_model: Callable[[str], Path]
) -> Callable[[str], Path]:
    """Return a function from a form to a model folder that the engine of this run serves."""
    return converted_model if request.param == "openvino" else colour_model


@pytest.fixture(scope="session")
def halves() -> NDArray[np.uint8]:
    """Three images whose left halves are rather red, green and blue; the right halves say something else."""
    pixels = np.full((3, *colours.SIZE, 3), 90, np.uint8)
    for index in range(3):
        pixels[index, :, : colours.SIZE[1] // 2, index] = 200
        pixels[index, :, colours.SIZE[1] // 2 :, (index + 1) % 3] = 255
    return pixels


@pytest.fixture(scope="session")
def png() -> Callable[[NDArray[np.uint8]], bytes]:
    """Return a function from pixels to the bytes of a PNG."""

    def encode(pixels: NDArray[np.uint8]) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue()

    return encode
