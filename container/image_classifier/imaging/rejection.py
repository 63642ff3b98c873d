"""Why the bytes of an image are rejected: one exception, with a code for programs and a sentence for people."""

from image_classifier.contract.errors import UserError, first_line

EMPTY, UNSUPPORTED, CORRUPT, TOO_LARGE = "empty", "unsupported_format", "corrupt", "too_many_pixels"
TOO_COMPLEX = "too_complex"
"""The file would cost far more work than its pixels are worth."""


class ImageRejected(UserError):  # noqa: N818 - named for what happened to the image
    """The bytes are not an image that this program reads. `code` is one of the five above."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def corrupt(error: Exception | str) -> ImageRejected:
    """Return the rejection of bytes that a decoder fails on, with the first line of its reason."""
    reason = first_line(error, 120) if isinstance(error, Exception) else error
    return ImageRejected(CORRUPT, f"The image is corrupt and cannot be decoded: {reason}. Send it again.")


def too_complex(counted: str, given: int, limit: int) -> ImageRejected:
    """Return the rejection of a file with more than `limit` of what is counted, of which it has at least `given`."""
    message = f"The image file has {given:,} or more {counted}; allowed: {limit:,}. Save it again with an image editor."
    return ImageRejected(TOO_COMPLEX, message)
