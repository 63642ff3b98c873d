"""Every family of the catalogue as a real graph, cut short, and what becomes of it as a LiteRT file."""

from pathlib import Path

import pytest
import tf_keras

from image_classifier.artifacts import ModelInfo
from image_classifier.inference.litert_model import exchange, export, judgement
from image_classifier.inference.litert_model.exchange import FLOAT32, INT8, Request
from tests.families import trial
from tests.families.architectures import ARCHITECTURES, Size
from tests.families.other_kinds import OTHER_KINDS

pytestmark = [pytest.mark.no_cover, pytest.mark.every]

LARGE_ALONE = ("MobileNet V1 1.0", "NASNet large")
"""Their graphs differ from another one's by its numbers alone."""


def exported(folder: Path, network: tf_keras.Model, info: ModelInfo, precision: str) -> judgement.Judgement:
    """Write a family's model folder with an untrained head, convert it, and compare on synthetic images."""
    staged = trial.stage(folder / "staged", network, info)
    model = trial.write(trial.train(staged, whole=False, size=info.image_size), folder / "model")
    images = _images(folder / "images", info.image_size) if precision == INT8 else ()
    work = folder / "work"
    work.mkdir()
    converted = export.convert(
        Request(model=str(model), precision=precision, trust=False, calibration=images, verification=()), work
    )
    assert exchange.file_of(work).read_bytes()[4:8] == b"TFL3"
    return judgement.judge(precision, converted.expected, converted.found, None, synthetic=True)


def _images(folder: Path, size: Size) -> tuple[str, ...]:
    from PIL import Image

    from tests.families.architectures import made_up_images

    folder.mkdir()
    paths = [folder / f"{row}.png" for row in range(8)]
    for path, pixels in zip(paths, made_up_images(8, size), strict=True):
        Image.fromarray(pixels).save(path)
    return tuple(map(str, paths))


@pytest.mark.parametrize("precision", [FLOAT32, INT8])
@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name not in LARGE_ALONE])
def test_family_is_converted(tmp_path: Path, name: str, precision: str) -> None:
    """Given a family's first blocks -> a LiteRT file that agrees with the model; int8 in its numbers alone."""
    family = ARCHITECTURES[name]
    info = ModelInfo(image_size=family.small_size)
    assert exported(tmp_path, family.build_small(), info, precision).objection is None


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_other_kinds_of_networks_are_converted(tmp_path: Path, name: str) -> None:
    """Given GroupNorm, attention, and attention in shifted windows -> a LiteRT file that agrees with the model."""
    kind = OTHER_KINDS[name]
    assert exported(tmp_path, kind.build(), ModelInfo(image_size=kind.size), FLOAT32).objection is None
