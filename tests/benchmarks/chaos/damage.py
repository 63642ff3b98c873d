"""Corrupt checkpoints, as after an interrupted copy or on a failing disk."""

from pathlib import Path


def flip(path: Path, bit: int) -> str:
    """Flip a bit of a file, counted modulo its size; say so."""
    content = bytearray(path.read_bytes())
    bit %= 8 * len(content)
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    return f"bit {bit} of {path.name} flipped"


def truncate(path: Path, size: int) -> str:
    """Leave the first bytes of a file, counted modulo its size; say so."""
    content = path.read_bytes()
    size %= len(content)
    path.write_bytes(content[:size])
    return f"{path.name} cut to {size} of {len(content)} bytes"


def newest_folder(checkpoints: Path) -> Path | None:
    """Return the folder of the newest checkpoint; None without any."""
    return max(checkpoints.glob("checkpoint-*"), default=None)
