"""Fashion-MNIST from Debian's package: its IDX files become grey images in class folders."""

import gzip
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier.contract.errors import UserError
from image_classifier.photographs import debian_package

CLASSES = (
    "t-shirt or top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
"""In the order of the labels 0 to 9."""
_UINT8 = 0x08


def write(package: str, folder: Path) -> None:
    """Fetch the package and write its 70,000 images.

    Raises:
        PlatformError: apt cannot fetch the package.
    """
    with tempfile.TemporaryDirectory(prefix="fashion-") as scratch:
        files = debian_package.unpack(package, Path(scratch)) / "usr/share/datasets/fashion-mnist"
        for part in ("train", "t10k"):
            write_part(files, part, folder)


def write_part(files: Path, part: str, folder: Path) -> None:
    """Write `folder/<class>/<part>-<number>.png` from `<part>-images-idx3-ubyte.gz` and `<part>-labels-idx1-ubyte.gz`.

    Raises:
        UserError: A file is not an IDX file, or the two do not match.
    """
    images = read_idx(files / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(files / f"{part}-labels-idx1-ubyte.gz")
    if images.ndim != 3 or labels.shape != images.shape[:1] or labels.max(initial=0) >= len(CLASSES):
        raise UserError(f"{files} has {part} images {images.shape} and labels {labels.shape} that do not match.")
    for name in CLASSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).save(folder / CLASSES[label] / f"{part}-{number:05}.png", compress_level=1)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of bytes (http://yann.lecun.com/exdb/mnist): two zeros, type, dimensions, sizes, values.

    Raises:
        UserError: It is another format, or truncated.
    """
    try:
        content = gzip.decompress(path.read_bytes())
        if content[:3] != bytes((0, 0, _UINT8)):
            raise ValueError("unexpected first bytes")
        end = 4 + 4 * content[3]
        shape = tuple(np.frombuffer(content[4:end], ">u4").tolist())
        return np.frombuffer(content[end:], np.uint8).reshape(shape)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise UserError(f"{path} is not an IDX file of bytes: {error}.") from error
