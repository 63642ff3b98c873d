"""Images as strangers send them: the same one in odd forms, and what only looks like one."""

import base64
import io
import json
import random
import struct
import zlib
from collections.abc import Sequence
from typing import Any

from PIL import Image

GREEN, RED = (40, 200, 50), (220, 30, 30)


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Write an image into bytes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain() -> Image.Image:
    """Make an image whose left half is green and whose right half is red; turned, it is another image."""
    image = Image.new("RGB", (96, 72), GREEN)
    image.paste(RED, (48, 0, 96, 72))
    return image


def stored_sideways(kind: str, **options: Any) -> bytes:
    """Write the plain image as a phone held upright does: turned, with EXIF orientation 6 to turn it back."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(plain().transpose(Image.Transpose.ROTATE_90), kind, exif=exif, **options)


def with_alpha() -> Image.Image:
    """Give the plain image an alpha channel that hides part of it."""
    image = plain().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def odd_forms() -> dict[str, bytes]:
    """Return the plain image in every form that has to be answered as the plain one."""
    animation = {"save_all": True, "append_images": [Image.new("RGB", (96, 72), "blue")]}
    return {
        "progressive JPEG": encode(plain(), "JPEG", quality=97, progressive=True),
        "CMYK JPEG": encode(plain().convert("CMYK"), "JPEG", quality=97),
        "JPEG with EXIF orientation": stored_sideways("JPEG", quality=97),
        "PNG with EXIF orientation": stored_sideways("PNG"),
        "interlaced PNG": encode(plain(), "PNG", interlace=1),
        "palette PNG": encode(plain().quantize(16), "PNG"),
        "alpha PNG": encode(with_alpha(), "PNG"),
        "palette with transparency": encode(plain().quantize(16), "PNG", transparency=1),
        "WebP": encode(plain(), "WEBP", lossless=True),
        "animated WebP": encode(plain(), "WEBP", lossless=True, **animation),
        "BMP": encode(plain(), "BMP"),
        "GIF": encode(plain(), "GIF"),
        "animated GIF": encode(plain(), "GIF", **animation),
    }


def grey_forms() -> dict[str, bytes]:
    """Return a grey image in every depth; the first is plain RGB."""
    grey = plain().convert("L")
    sixteen = Image.frombytes("I;16", grey.size, b"".join(struct.pack("<H", value << 8) for value in grey.tobytes()))
    return {
        "RGB": encode(grey.convert("RGB"), "PNG"),
        "grey": encode(grey, "PNG"),
        "grey and alpha": encode(Image.merge("LA", (grey, grey)), "PNG"),
        "16-bit grey": encode(sixteen, "PNG"),
    }


def png_header(width: int, height: int, raster: bytes = b"") -> bytes:
    """Make a one-bit grey PNG with any size in its header."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raster, 9)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bomb() -> bytes:
    """Make the 48 KB that unpack to 20,000 x 20,000 pixels."""
    return png_header(20_000, 20_000, bytes(20_000 * 2_501))


def webp_of_one_colour() -> bytes:
    """Return the 40 bytes of a lossless WebP of 9,459 x 9,459 pixels of one colour."""
    return bytes.fromhex("5249464620000000574542505650384c140000002ff2a43c09075081540820000a9afec78888fe07")


def header_of_a_large_jpeg() -> bytes:
    """Make a JPEG whose header states 200 megapixels, of which its raster has few."""
    data = bytearray(encode(plain(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (12_240).to_bytes(2, "big") + (16_320).to_bytes(2, "big")
    return bytes(data)


def listed(images: Sequence[bytes]) -> bytes:
    """Write images as the instances of a request in JSON."""
    return json.dumps({"instances": [{"b64": base64.b64encode(image).decode()} for image in images]}).encode()


def as_text(image: bytes) -> bytes:
    """Read the bytes of a GIF of the same image as Latin-1 text, and write that in UTF-8."""
    return encode(Image.open(io.BytesIO(image)), "GIF").decode("latin-1").encode("utf-8")


def hostile() -> dict[str, tuple[bytes, int, str]]:
    """Return what must be rejected: bytes, status, code."""
    jpeg, png = encode(plain(), "JPEG"), encode(plain(), "PNG")
    return {
        "empty": (b"", 400, "empty"),
        "text": (b"no image at all", 400, "unsupported_format"),
        "random bytes": (random.Random(0).randbytes(20_000), 400, "unsupported_format"),
        "TIFF": (encode(plain(), "TIFF"), 400, "unsupported_format"),
        "truncated JPEG": (jpeg[: len(jpeg) // 2], 400, "corrupt"),
        "truncated PNG": (png[: len(png) // 2], 400, "corrupt"),
        "JPEG of random bytes": (b"\xff\xd8\xff" + random.Random(1).randbytes(20_000), 400, "corrupt"),
        "zero width": (png_header(0, 10), 400, "corrupt"),
        "bomb": (bomb(), 413, "too_many_pixels"),
    }
