"""Deletion and replacement of nothing but what this program wrote: the guard of every command that removes something.

Links are removed as links, never followed. See docs/decisions/0021-data-safety.md for who removes what.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from image_classifier import durable_files
from image_classifier.contract.errors import UserError
from image_classifier.durable_files import PARTIAL

MARKER = ".image-classifier.json"
"""In a folder that a command may clear when it writes there again; says which command, and in which layout."""
FORMAT = 1


def mark(folder: Path, writer: str) -> None:
    """Write the marker of `writer`, a command's name, into an existing folder.

    Raises:
        OSError: The disk is full or not writable.
    """
    durable_files.write_json(folder / MARKER, {"format": FORMAT, "written_by": writer})


def is_marked(folder: Path, writer: str) -> bool:
    """Say whether `folder` carries the marker of this command, in the layout that this version writes."""
    path = folder / MARKER
    if path.is_symlink() or not path.is_file():
        return False
    try:
        return bool(json.loads(path.read_bytes()) == {"format": FORMAT, "written_by": writer})
    except (OSError, ValueError):
        return False


def is_empty(folder: Path) -> bool:
    """Say whether a folder holds nothing but what a killed command left of its marker."""
    return not {path.name for path in folder.iterdir()} - {f"{MARKER}{PARTIAL}"}


def holds(folder: Path, path: Path) -> bool:
    """Say whether `path` is `folder` or lies below it, through links, bind mounts and names in another case."""
    real = path.resolve()
    return any(_same(folder, each) for each in (real, *real.parents))


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other


def overlap(one: Path, other: Path) -> bool:
    """Say whether one of two paths holds the other."""
    return holds(one, other) or holds(other, one)


def remove_folder(folder: Path) -> None:
    """Remove a folder that this program wrote, if it exists.

    Raises:
        UserError: A link or a file lies under its name. Nothing is removed then.
    """
    reject_other_kind(folder)
    shutil.rmtree(folder, ignore_errors=True)


def reject_other_kind(folder: Path) -> None:
    """Make sure that `folder` is a folder or absent.

    Raises:
        UserError: A link or a file lies under its name.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        kind = "a link" if folder.is_symlink() else "a file"
        raise UserError(f"{folder} is {kind}, where this program writes a folder. Nothing was removed: move it away.")


def remove_link(path: Path) -> None:
    """Remove a link, so that a file written to `path` does not end up where it leads; other things stay."""
    if path.is_symlink():
        path.unlink()


def remove_empty(folder: Path) -> None:
    """Remove an empty folder, if it exists, so that another one can take its name.

    Raises:
        UserError: It is not empty, or it is a link or a file. Nothing is removed then.
    """
    reject_other_kind(folder)
    try:
        folder.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(
            f"{folder} cannot be replaced: {error.strerror}. It is not empty, or not writable. Nothing was removed: "
            "name a new folder."
        ) from error


def reject_foreign_file(path: Path, option: str, what: str, recognised: Callable[[Path], bool]) -> None:
    """Make sure that a file may be written to `path`: it is absent, or `recognised` as an earlier one of this program.

    `option` and `what` name the option and its file in the message, such as `--output` and `a bill of materials`.

    Raises:
        UserError: Something else lies there.
    """
    if path.is_symlink():
        raise UserError(f"{option} {path} is a link, which is not followed. Give the name of a new file.")
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder. Give the name of a file in it.")
    if path.exists() and not (path.is_file() and recognised(path)):
        raise UserError(
            f"{option} {path} exists and is not {what} that this program wrote, so it is not replaced. "
            "Name a new file, or move the old one away."
        )


def unwritable(folder: Path) -> str | None:
    """Return why nothing can be made in `folder`, which may have to be made itself; None when it can."""
    nearest = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(each))
    if not nearest.is_dir():
        return f"{nearest} is not a folder"
    return None if os.access(nearest, os.W_OK | os.X_OK) else f"uid {os.getuid()} may not write to {nearest}"


@contextlib.contextmanager
def used_alone(folder: Path) -> Iterator[int]:
    """Keep other processes that ask for it out of an existing folder; gives the descriptor that holds the lock.

    Raises:
        UserError: Another process has it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"Another job is running in {folder}. Wait for it, or name another folder.") from error
        yield descriptor
    finally:
        os.close(descriptor)
