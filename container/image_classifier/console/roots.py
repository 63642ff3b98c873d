"""The folders that the console may read: what a request names must lie in one of them, also through links."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from image_classifier.contract.errors import UserError, first_line
from image_classifier.contract.names import listed, on_one_line

_SHOWN = 200
"""Characters of a path in a message."""


@dataclass(frozen=True)
class Roots:
    """Allowed folders, each without links in its path."""

    folders: tuple[Path, ...]

    def resolve(self, given: str | Path) -> Path:
        """Return the real path of a file or folder that exists: absolute, without links, in an allowed folder.

        `~` is the home folder, and a relative path begins in the first allowed folder.

        Raises:
            UserError: It does not exist, cannot be looked up, or lies outside the allowed folders.
        """
        shown = on_one_line(str(given))[:_SHOWN]
        try:
            real = (self.folders[0] / Path(given).expanduser()).resolve(strict=True)
        except FileNotFoundError:
            raise UserError(f"{shown} does not exist. Check the path's spelling.") from None
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or first_line(error, _SHOWN)
            raise UserError(f"{shown} cannot be looked up: {reason}. Give another path.") from error
        if not self.contain(real):
            raise UserError(
                f"{shown} lies outside the folders that the console may read: {self}. Start it with --root FOLDER to "
                "allow another one."
            )
        return real

    def resolve_folder(self, given: str | Path) -> Path:
        """Return the real path of a folder, see `resolve`.

        Raises:
            UserError: See `resolve`; or it is not a folder, or cannot be read.
        """
        real = self.resolve(given)
        shown = on_one_line(str(given))[:_SHOWN]
        if not real.is_dir():
            raise UserError(f"{shown} is a file. Give the folder that holds one sub-folder per class.")
        if not os.access(real, os.R_OK | os.X_OK):
            raise UserError(f"{shown} cannot be read by uid {os.getuid()}. Change its permissions.")
        return real

    def contain(self, real: Path) -> bool:
        """Return whether a path without links is or lies in an allowed folder."""
        return any(real.is_relative_to(folder) for folder in self.folders)

    def __str__(self) -> str:
        return listed([on_one_line(str(folder)) for folder in self.folders])


def allow(folders: Iterable[Path]) -> Roots:
    """Return the allow-list of these folders.

    Raises:
        UserError: One of them is not a folder; all of those are named.
    """
    real = [folder.expanduser().resolve() for folder in folders]
    if wrong := [str(folder) for folder in real if not folder.is_dir()]:
        verb = "is not one" if len(wrong) == 1 else "are not"
        raise UserError(f"--root takes folders that exist; {listed(wrong)} {verb}. Correct the path.")
    return Roots(tuple(dict.fromkeys(real)))
