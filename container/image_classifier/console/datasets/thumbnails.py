"""Thumbnails of images, made when a page asks for them, and kept by the content of the image.

Whatever a file holds, one costs bounded memory and time: its header is read first, at most `AT_ONCE` are decoded at
the same time, and an image whose raster would be large is not decoded at all.
"""

import hashlib
import io
import threading
from dataclasses import dataclass

from image_classifier import imaging
from image_classifier.console.datasets import regular_files
from image_classifier.console.datasets.contents import Channel
from image_classifier.console.datasets.thumbnail_store import Kept, Store
from image_classifier.contract.errors import PlatformError

SIDE = 160
"""Longest side in pixels."""
AT_ONCE = 2
"""Images that are decoded at the same time, so that a page of thumbnails leaves CPU and memory to a job."""
MOST_MEMORY = 96 * 2**20
"""Bytes that decoding one image may take; the console as a whole stays below 300 MB."""
_QUALITY = 72
_METHOD = "bilinear"
_WAIT = 30.0
"""Seconds after which a request that finds all decoders busy gives up."""
_decoders = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Thumbnail:
    """A reduced image, or what prevents it."""

    sha256: str
    """Of the image's file; empty if it could not be read."""
    webp: bytes
    """Empty: see `problem`."""
    problem: str = ""
    """One sentence."""


def of(store: Store, channel: Channel, row: int) -> Thumbnail:
    """Return the thumbnail of an image; from the store if its file has not changed."""
    path = channel.folder / channel.files[row]
    try:
        found = regular_files.stamp(path, channel.inside)
        if kept := store.find(str(path), found):
            return Thumbnail(kept.sha256, kept.webp, kept.problem)
        return _make(store, channel, str(path))
    except regular_files.UnusableFileError as error:
        return Thumbnail("", b"", str(error))


def _make(store: Store, channel: Channel, path: str) -> Thumbnail:
    if not _decoders.acquire(timeout=_WAIT):
        return Thumbnail("", b"", "The console is busy with other images. Reload the page.")
    try:
        content = regular_files.read(channel.folder / path, channel.inside)
        sha256 = hashlib.sha256(content.data).hexdigest()
        kept = store.by_content(sha256) or Kept(sha256, *reduced(content.data))
    finally:
        _decoders.release()
    store.keep(path, content.stamp, kept)
    return Thumbnail(kept.sha256, kept.webp, kept.problem)


def reduced(data: bytes) -> tuple[bytes, str]:
    """Return an encoded image as WebP of at most `SIDE` pixels a side, or no bytes and the problem."""
    try:
        header = imaging.read_header(data)
        size = imaging.reduced_size(imaging.upright_size(header), SIDE)
        if imaging.memory_bytes(header, size, _METHOD) > MOST_MEMORY:
            width, height = header.size
            return b"", f"It is too large to be shown here: {width:,} x {height:,} pixels."
        pixels = imaging.decode(header, size, _METHOD)
    except (imaging.ImageRejected, PlatformError) as error:
        return b"", problem_text(str(error))
    # The console starts without it.
    from PIL import Image

    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "WEBP", quality=_QUALITY, method=2)
    return encoded.getvalue(), ""


def problem_text(sentence: str) -> str:
    """Return what is wrong with an image, without the advice to the client of a server."""
    return sentence.removesuffix(" Send it again.")
