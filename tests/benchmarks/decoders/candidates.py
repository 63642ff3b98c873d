"""The candidates: how each decodes a JPEG or resizes pixels, and where it is installed from."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier import imaging
from image_classifier.imaging import fixed_point, libjpeg_turbo
from image_classifier.model_hub import packages
from tests.support import python_environments

Pixels = NDArray[np.uint8]
SIDE = 224
PACKAGES = ("pyturbojpeg==2.6.1", "imagecodecs", "kornia-rs==0.2.0")
"""Candidates that the project does not install."""
FOLDER = packages.cache_folder() / "decoders"


@dataclass(frozen=True)
class Candidate:
    """One way to decode, or to resize."""

    name: str
    modules: tuple[str, ...]
    """Top-level names whose files count as its size."""
    make: Callable[[], Callable[[Any], Pixels]]
    """Import it and return the function: from a file's bytes, or from pixels, to pixels."""


def install() -> None:
    """Install the candidates below the cache, once, and make them importable here."""
    if not FOLDER.is_dir():
        python_environments.install_into(FOLDER, *PACKAGES)
    sys.path.append(str(FOLDER))


def size_in_megabytes(candidate: Candidate) -> float:
    """Return the size of its installed files, with the libraries that its wheel brings."""
    places = [Path(path) for path in sys.path if path]
    found = [place / name for name in candidate.modules for place in places if (place / name).exists()]
    files = [file for folder in found for file in folder.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc") / 2**20


def _pillow() -> Callable[[bytes], Pixels]:
    return lambda data: np.asarray(Image.open(io.BytesIO(data), formats=["JPEG"]).convert("RGB"))


def _simplejpeg() -> Callable[[bytes], Pixels]:
    import simplejpeg

    return lambda data: np.asarray(simplejpeg.decode_jpeg(data))


def _imaging() -> Callable[[bytes], Pixels]:
    pillow = _pillow()

    def decode(data: bytes) -> Pixels:
        header = imaging.read_header(data)
        found = libjpeg_turbo.decode(header.content, header.size, 1) if header.is_ordinary_jpeg else None
        return pillow(data) if found is None else found

    return decode


def _imagecodecs() -> Callable[[bytes], Pixels]:
    import imagecodecs  # type: ignore[import-not-found, unused-ignore]

    return lambda data: np.asarray(imagecodecs.jpeg8_decode(data))


def _kornia() -> Callable[[bytes], Pixels]:
    import kornia_rs  # type: ignore[import-not-found, unused-ignore]

    return lambda data: np.asarray(kornia_rs.io.decode_image_jpegturbo(data, "rgb"))


def _pyturbojpeg() -> Callable[[bytes], Pixels]:
    import turbojpeg  # type: ignore[import-not-found, unused-ignore]

    decoder = turbojpeg.TurboJPEG()
    return lambda data: np.asarray(decoder.decode(data, pixel_format=turbojpeg.TJPF_RGB))


def _pillow_resize() -> Callable[[Pixels], Pixels]:
    def resize(pixels: Pixels) -> Pixels:
        across = Image.fromarray(pixels).resize((SIDE, len(pixels)), Image.Resampling.BILINEAR)
        return np.asarray(across.resize((SIDE, SIDE), Image.Resampling.BILINEAR))

    return resize


def _cykooz(passes: int) -> Callable[[], Callable[[Pixels], Pixels]]:
    def make() -> Callable[[Pixels], Pixels]:
        if passes == 2:
            return lambda pixels: fixed_point.resize(pixels, (SIDE, SIDE), "bilinear")
        from cykooz_resizer import structs
        from cykooz_resizer.rust_lib import Image as Raster
        from cykooz_resizer.rust_lib import RustResizer

        kind = structs.PixelType.U8x3.value
        options = structs.ResizeOptions(structs.ResizeAlg.convolution(structs.FilterType.bilinear)).rust_options

        def resize(pixels: Pixels) -> Pixels:
            resized = Raster(SIDE, SIDE, kind, None)
            given = Raster(pixels.shape[1], pixels.shape[0], kind, pixels.tobytes())
            RustResizer().resize(given, resized, options)
            return np.frombuffer(resized.buffer(), np.uint8).reshape(SIDE, SIDE, 3)

        return resize

    return make


def _numpy_resize() -> Callable[[Pixels], Pixels]:
    def resize(pixels: Pixels) -> Pixels:
        return fixed_point.by_numpy(fixed_point.by_numpy(pixels, 1, SIDE, "bilinear"), 0, SIDE, "bilinear")

    return resize


def _kornia_resize() -> Callable[[Pixels], Pixels]:
    import kornia_rs

    return lambda pixels: np.asarray(kornia_rs.imgproc.resize(pixels, (SIDE, SIDE), "bilinear", True))


def _openvino_resize() -> Callable[[Pixels], Pixels]:
    import openvino as ov
    from openvino import opset13 as operations

    given = operations.parameter([1, -1, -1, 3], np.uint8)
    resized = operations.interpolate(
        operations.convert(given, "f32"), np.array([SIDE, SIDE]), "bilinear_pillow", "sizes", axes=np.array([1, 2])
    )
    model = ov.Model([operations.convert(operations.round(resized, "half_to_even"), "u8")], [given])
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"})
    return lambda pixels: np.asarray(compiled.create_infer_request().infer([pixels[np.newaxis]])[0][0], np.uint8)


DECODERS = (
    Candidate("Pillow", ("PIL", "pillow.libs"), _pillow),
    Candidate("simplejpeg", ("simplejpeg",), _simplejpeg),
    Candidate("imaging: simplejpeg, else Pillow", ("simplejpeg",), _imaging),
    Candidate("imagecodecs", ("imagecodecs", "imagecodecs.libs"), _imagecodecs),
    Candidate("kornia-rs", ("kornia_rs", "kornia_rs.libs"), _kornia),
    Candidate("PyTurboJPEG", ("turbojpeg",), _pyturbojpeg),
)
RESIZERS = (
    Candidate("Pillow", ("PIL", "pillow.libs"), _pillow_resize),
    Candidate("cykooz.resizer, two passes in strips", ("cykooz_resizer",), _cykooz(2)),
    Candidate("cykooz.resizer, one call", ("cykooz_resizer",), _cykooz(1)),
    Candidate("NumPy, the same sums", (), _numpy_resize),
    Candidate("kornia-rs", ("kornia_rs", "kornia_rs.libs"), _kornia_resize),
    Candidate("OpenVINO, bilinear_pillow", (), _openvino_resize),
)
