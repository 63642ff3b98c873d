"""What holds for every downloaded file, wherever it comes from: a size limit and a checksum."""

from pathlib import Path

from image_classifier import durable_files
from image_classifier.contract.errors import PlatformError, UserError

MAX_BYTES = 8 * 1024**3
"""Size limit of one file. The largest model of the catalogue is smaller than 4 GB."""


def check_size(address: str, size: int, max_bytes: int = MAX_BYTES) -> None:
    """Compare a file's size, as announced or as received so far, with the limit.

    Raises:
        UserError: It is larger; `address`, without secrets, names the file in the message.
    """
    if size > max_bytes:
        raise UserError(f"{address} is larger than {max_bytes:,} bytes. Check the address.")


def checked_sha256(address: str, file: Path, expected: str | None) -> str:
    """Return a file's sha256.

    Raises:
        PlatformError: It is not the `expected` one.
    """
    found = durable_files.sha256_of(file)
    if expected and found != expected.lower():
        raise wrong_content(address, f"sha256 {found}; expected {expected.lower()}")
    return found


def wrong_content(address: str, what: str) -> PlatformError:
    """Return the error for a received file whose checksum is `what`."""
    return PlatformError(
        f"{address} sent a file with {what}. The file was discarded. Download it again, or check the server."
    )
