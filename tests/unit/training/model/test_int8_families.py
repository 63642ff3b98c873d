"""int8 of the catalogue's kinds of networks, cut short and with random weights: NNCF quantises each, the gate judges.

One network of each structure, and the first method alone: the whole ladder is in `scripts/benchmark int8`.
"""

from pathlib import Path

import pytest

from image_classifier import artifacts
from image_classifier.inference.openvino_model.nncf_network import FAST
from image_classifier.inference.openvino_model.precision_gate import LEAST_IMAGES
from tests.benchmarks import int8
from tests.benchmarks.int8 import Extent
from tests.families.architectures import ARCHITECTURES
from tests.families.other_kinds import OTHER_KINDS

pytestmark = [pytest.mark.no_cover, pytest.mark.every]

EXTENT = Extent(statistics=24, gate=LEAST_IMAGES, steps=(FAST,))
SAME_STRUCTURE = ("MobileNet V1 1.0", "NASNet large", "Inception-ResNet V2", "EfficientNet V2 B0", "ResNet V1 50")
"""Their depthwise convolutions, cells, mixed branches, Swish, and residual blocks are in others too."""


def assert_judged(entry: dict[str, object], folder: Path) -> None:
    """Check that the entry has figures, and that only an int8 IR that passed is in the model folder."""
    gate = entry["gate"]
    assert isinstance(gate, dict), entry
    assert gate["images"] == LEAST_IMAGES
    # Worse than chance would show in these: the method is close to float32.
    assert gate["label_flips"] < 0.2
    assert (folder / artifacts.OPENVINO_INT8_DIR).is_dir() == bool(gate["passed"])


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name not in SAME_STRUCTURE])
def test_family_is_judged(tmp_path: Path, name: str) -> None:
    """A family's first blocks -> figures of the gate, and a file only where it passed."""
    family = ARCHITECTURES[name]
    entry = int8.judge(tmp_path, family.build_small(), family.small_size, extent=EXTENT)
    assert_judged(entry, tmp_path / "model")


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_other_kinds_of_networks_are_judged(tmp_path: Path, name: str) -> None:
    """GroupNorm, attention, and attention in shifted windows -> as above."""
    kind = OTHER_KINDS[name]
    assert_judged(int8.judge(tmp_path, kind.build(), kind.size, extent=EXTENT), tmp_path / "model")
