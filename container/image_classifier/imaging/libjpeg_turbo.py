"""Decode the JPEGs that nearly all encoders write, by libjpeg-turbo's own interface: the package simplejpeg.

The library and its arithmetic are those that Pillow contains, so the pixels are the same bit for bit. What makes it
faster is what Pillow does around it: feeding 64 KB at a time, a call for each row, and pixels of four bytes.
"""

import numpy as np
from numpy.typing import NDArray


def decode(content: bytes, size: tuple[int, int], scale: int) -> NDArray[np.uint8] | None:
    """Decode a JPEG whose header is ordinary to RGB pixels (h, w, 3); releases the GIL.

    None if libjpeg warns or fails: its interface reports an error after a warning as a warning, and leaves the other
    rows as they were in memory. Such a file is corrupt, and Pillow judges whether it can be decoded.

    Args:
        content: The file.
        size: Its width and height in pixels, as stored; at least `jpeg.MIN_SIDE` each.
        scale: 1, 2, 4 or 8: the sides are divided by it and rounded up.

    Raises:
        MemoryError: There is not enough memory.
    """
    import simplejpeg  # The first JPEG needs it, not the start.

    width, height = (-(-side // scale) for side in size)
    # With a buffer, a header that the decoder reads in another way cannot make it allocate more.
    pixels = np.empty((height, width, 3), np.uint8)
    try:
        decoded = simplejpeg.decode_jpeg(content, min_height=height, min_width=width, buffer=pixels.reshape(-1))
    except ValueError as error:
        if "Insufficient memory" in str(error):
            raise MemoryError from error
        return None
    return pixels if decoded.shape == pixels.shape else None
