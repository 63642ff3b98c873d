"""The rejection of an image: one exception with a code for programs and a sentence for people."""

from image_classifier.contract.errors import UserError, first_line

EMPTY, UNSUPPORTED, CORRUPT, TOO_LARGE = "empty", "unsupported_format", "corrupt", "too_many_pixels"
TOO_COMPLEX = "too_complex"
"""Decoding would take disproportionate work for the number of pixels."""


class ImageRejected(UserError):  # noqa: N818 - named for what happened to the image
    """An image that is invalid or exceeds a limit; `code` is one of the five above."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def corrupt(error: Exception | str) -> ImageRejected:
    """Return the rejection of an image that cannot be decoded, with the first line of the reason."""
    reason = first_line(error, 120) if isinstance(error, Exception) else error
    return ImageRejected(CORRUPT, f"The image is corrupt and cannot be decoded: {reason}. Send it again.")


def too_complex(counted: str, given: int, limit: int) -> ImageRejected:
    """Return the rejection of a file that has at least `given` of what is `counted`, more than `limit`."""
    message = f"The image file has {given:,} or more {counted}; allowed: {limit:,}. Save it again with an image editor."
    return ImageRejected(TOO_COMPLEX, message)
