"""int8 of the catalogue's families, cut short and with random weights: NNCF quantises each, and the gate judges it."""

from pathlib import Path

import pytest

from image_classifier import artifacts
from tests.benchmarks import int8
from tests.families import swin, vision_transformer
from tests.families.architectures import ARCHITECTURES

pytestmark = [pytest.mark.no_cover, pytest.mark.every]

LARGE_ALONE = ("MobileNet V1 1.0", "NASNet large")
"""Their graphs differ from another one's by its numbers alone."""


def assert_judged(entry: dict[str, object], folder: Path) -> None:
    """Check that the entry has figures, and that only an int8 IR that passed is in the model folder."""
    gate = entry["gate"]
    assert isinstance(gate, dict), entry
    assert gate["images"] == int8.GATE
    # Worse than chance would show in these: the methods are close to float32 or leave layers in it.
    assert gate["label_flips"] < 0.2
    assert (folder / artifacts.OPENVINO_INT8_DIR).is_dir() == bool(gate["passed"])


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name not in LARGE_ALONE])
def test_family_is_judged(tmp_path: Path, name: str) -> None:
    """A family's first blocks -> figures of the gate, and a file only where it passed."""
    family = ARCHITECTURES[name]
    assert_judged(int8.judge(tmp_path, family.build_small(), family.small_size), tmp_path / "model")


def test_transformers_are_judged(tmp_path: Path) -> None:
    """Attention, and attention in shifted windows -> as above."""
    scaling = "standardize_on_imagenet"
    vit = vision_transformer.build((32, 48), patch=16, width=32, heads=2, depth=2)
    assert_judged(int8.judge(tmp_path / "vit", vit, (32, 48), scaling), tmp_path / "vit" / "model")
    windows = swin.build((32, 64), width=16, depths=(2, 1), heads=(2, 4), window=4)
    assert_judged(int8.judge(tmp_path / "swin", windows, (32, 64)), tmp_path / "swin" / "model")
