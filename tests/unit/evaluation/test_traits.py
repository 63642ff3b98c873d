import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from image_classifier.evaluation import traits
from image_classifier.evaluation.traits import Traits


def scene(seed: int = 0, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Return a smooth coloured image, width x height."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return an encoded image."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def of(image: Image.Image, kind: str = "PNG", **options: object) -> Traits:
    """Return the traits of an encoded image."""
    found = traits.of_bytes(encoded(image, kind, **options))
    assert found is not None
    return found


def uniform(colour: tuple[int, int, int]) -> Image.Image:
    """Return an image of one colour."""
    return Image.new("RGB", (300, 200), colour)


def bits(first: Traits, second: Traits) -> int:
    """Return in how many bits two hashes differ."""
    return (first.perceptual_hash ^ second.perceptual_hash).bit_count()


def test_traits_of_uniform_images() -> None:
    """White, black and red images -> the brightness and colourfulness of the formulas; no contrast, no sharpness."""
    white, black, red = of(uniform((255, 255, 255))), of(uniform((0, 0, 0))), of(uniform((255, 0, 0)))

    assert (white.brightness, black.brightness) == (1, 0)
    assert red.brightness == pytest.approx(0.299, abs=0.002)
    assert (white.contrast, white.sharpness, white.colourfulness) == (0, 0, 0)
    assert red.colourfulness == pytest.approx(0.3 * np.hypot(255, 127.5))


def test_traits_follow_what_was_changed() -> None:
    """Darkened, flattened, blurred, grey -> that trait falls; the image itself, encoded again, keeps all of them."""
    image = Image.effect_noise((320, 240), 80).convert("RGB")
    image.paste(scene().crop((0, 0, 160, 240)))
    whole = of(image)
    again = of(image, "WEBP", lossless=True)

    assert of(image.point(lambda level: level // 2)).brightness == pytest.approx(whole.brightness / 2, abs=0.01)
    assert of(image.point(lambda level: 64 + level // 2)).contrast == pytest.approx(whole.contrast / 2, rel=0.02)
    assert of(image.filter(ImageFilter.GaussianBlur(4))).sharpness < whole.sharpness / 10
    assert of(image.convert("L")).colourfulness == 0 < whole.colourfulness
    assert again.brightness == whole.brightness
    assert again.perceptual_hash == whole.perceptual_hash


def test_format_size_and_shape() -> None:
    """JPEG content under any name -> its format, width, height and bytes as stored."""
    data = encoded(scene(size=(500, 375)), "JPEG")
    found = traits.of_bytes(data)

    assert found is not None
    assert (found.format, found.width, found.height, found.bytes) == ("jpeg", 500, 375, len(data))
    assert found.aspect_ratio == pytest.approx(4 / 3)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_rotated_images_are_upright(kind: str) -> None:
    """EXIF says that the stored raster lies on its side -> width, height and hash of the upright image."""
    image = scene(1)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = of(image.transpose(Image.Transpose.ROTATE_90), kind, exif=exif, quality=95)

    assert (found.width, found.height) == image.size
    assert bits(found, of(image)) <= 2


def test_hash_is_imagehash_s() -> None:
    """An image of the reduced size -> the hash that ImageHash computes of it."""
    import imagehash

    image = scene(2, (120, 90))

    assert of(image).perceptual_hash == int(str(imagehash.phash(image)), 16)


def test_hash_of_other_and_of_changed_images() -> None:
    """Encoded again as JPEG, resized -> at most 4 other bits; other images -> more than 12."""
    image = scene(3, (500, 375))
    changed = [of(image, "JPEG", quality=70), of(image.resize((400, 300)))]

    assert max(bits(of(image), one) for one in changed) <= 4
    assert min(bits(of(image), of(scene(seed, (500, 375)))) for seed in range(10, 20)) > 12


def test_unreadable_files_are_none(tmp_path: Path) -> None:
    """A text, a corrupt PNG and a missing file among images -> None in their places."""
    (tmp_path / "a.png").write_bytes(encoded(scene(), "PNG"))
    (tmp_path / "b.png").write_text("no image")
    (tmp_path / "c.png").write_bytes(encoded(scene(), "PNG")[:500])
    names = ["a.png", "b.png", "c.png", "missing.png", "a.png"]
    found = traits.read([tmp_path / name for name in names])

    assert [one is None for one in found] == [False, True, True, True, False]
    assert found[0] == found[4]


def test_check_stops_the_reading(tmp_path: Path) -> None:
    """A check that raises at the third image -> its exception, and nothing more is read."""
    (tmp_path / "a.png").write_bytes(encoded(scene(), "PNG"))
    calls = []

    def check() -> None:
        calls.append(0)
        if len(calls) == 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        traits.read([tmp_path / "a.png"] * 500, check)
    assert len(calls) == 3


def test_pixels_sha256(tmp_path: Path) -> None:
    """Equal pixels in PNG, BMP and WebP -> equal; one other level, another shape -> not equal; text -> None."""
    image = scene(4)
    other = image.copy()
    other.putpixel((5, 5), (1, 2, 3))
    reshaped = Image.fromarray(np.asarray(image).reshape(120, 640, 3))
    for name, one in {"a.png": image, "a.bmp": image, "other.png": other, "reshaped.png": reshaped}.items():
        one.save(tmp_path / name)
    image.save(tmp_path / "a.webp", lossless=True)
    (tmp_path / "text.png").write_text("no image")
    digests = {path.name: traits.pixels_sha256(path) for path in tmp_path.iterdir()}

    assert digests["a.png"] == digests["a.bmp"] == digests["a.webp"]
    assert len({digests[name] for name in ("a.png", "other.png", "reshaped.png")}) == 3
    assert digests["text.png"] is None
    assert traits.pixels_sha256(tmp_path / "missing.png") is None


def test_tiny_images() -> None:
    """One pixel, two by one -> traits without warnings."""
    for size in ((1, 1), (2, 1)):
        pixels: NDArray[np.uint8] = np.full((*size, 3), 128, np.uint8)

        assert of(Image.fromarray(pixels)).brightness == pytest.approx(0.5, abs=0.01)
