"""Guards that ensure that commands delete and replace only files written by this program.

Links are removed as links, never followed. What each command removes: docs/decisions/0021-data-safety.md.
"""

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from image_classifier import durable_files
from image_classifier.contract.errors import UserError
from image_classifier.durable_files import PARTIAL

MARKER = ".image-classifier.json"
"""Marker file of a folder that a command may clear before it writes there again; records the command and the layout."""
FORMAT = 1


def mark(folder: Path, writer: str) -> None:
    """Write the marker of `writer`, a command's name, into an existing folder.

    Raises:
        OSError: The disk is full or not writable.
    """
    durable_files.write_json(folder / MARKER, {"format": FORMAT, "written_by": writer})


def is_marked(folder: Path, writer: str) -> bool:
    """Return whether `folder` has this command's marker with the current layout version."""
    path = folder / MARKER
    if path.is_symlink() or not path.is_file():
        return False
    try:
        return bool(json.loads(path.read_bytes()) == {"format": FORMAT, "written_by": writer})
    except (OSError, ValueError):
        return False


def is_empty(folder: Path) -> bool:
    """Return whether a folder is empty except for the partial marker of a killed command."""
    return not {path.name for path in folder.iterdir()} - {f"{MARKER}{PARTIAL}"}


def holds(folder: Path, path: Path) -> bool:
    """Return whether `path` is `folder` or lies below it, also through links, bind mounts and names in another case."""
    real = path.resolve()
    return any(_same(folder, each) for each in (real, *real.parents))


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other


def overlap(one: Path, other: Path) -> bool:
    """Return whether one of two paths contains the other."""
    return holds(one, other) or holds(other, one)


def new_folder(parent: Path, names: Iterable[str]) -> Path:
    """Make a folder of the first of `names` that no other process has taken, closed to other users, and return it.

    Raises:
        OSError: It cannot be made.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in names:
        with contextlib.suppress(FileExistsError):
            (parent / name).mkdir(mode=0o700)
            durable_files.sync_names(parent)
            return parent / name
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(parent))


def remove_folder(folder: Path) -> None:
    """Remove a folder that this program wrote, if it exists.

    Raises:
        UserError: The path is a link or a file; nothing was removed.
    """
    reject_other_kind(folder)
    shutil.rmtree(folder, ignore_errors=True)


def reject_other_kind(folder: Path) -> None:
    """Ensure that `folder` is a folder or does not exist.

    Raises:
        UserError: The path is a link or a file.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        kind = "a link" if folder.is_symlink() else "a file"
        raise UserError(f"{folder} is {kind}; expected a folder. Nothing was removed. Move it elsewhere.")


def remove_link(path: Path) -> None:
    """Remove `path` if it is a link, so that a write to `path` does not modify the link's target."""
    if path.is_symlink():
        path.unlink()


def remove_empty(folder: Path) -> None:
    """Remove an empty folder, if it exists, so that another one can be renamed to its name.

    Raises:
        UserError: It is not empty, or the path is a link or a file; nothing was removed.
    """
    reject_other_kind(folder)
    try:
        folder.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(
            f"{folder} cannot be replaced: {error.strerror}. It is not empty or not writable. Nothing was removed. "
            "Give a new folder."
        ) from error


def reject_foreign_file(path: Path, option: str, what: str, recognised: Callable[[Path], bool]) -> None:
    """Ensure that a file may be written to `path`: it does not exist, or is `recognised` as written by this program.

    `option` and `what` name the option and its file in the message, such as `--output` and `a bill of materials`.

    Raises:
        UserError: The path is a link, a folder or a foreign file.
    """
    if path.is_symlink():
        raise UserError(f"{option} {path} is a link. Links are not followed. Give the name of a new file.")
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder. Give the name of a file in it.")
    if path.exists() and not (path.is_file() and recognised(path)):
        raise UserError(
            f"{option} {path} exists and is not {what} written by this program, so it is not replaced. Give a new "
            "file, or move the existing one elsewhere."
        )


def reject_foreign_folder(folder: Path, option: str, writer: str) -> None:
    """Ensure that `writer` may write into a folder: it does not exist, is empty, or has the writer's marker.

    `option` names the option in the message, such as `--output`.

    Raises:
        UserError: The path is a link or a file, holds files of others, or cannot be written.
    """
    reject_other_kind(folder)
    if folder.is_dir() and not is_empty(folder) and not is_marked(folder, writer):
        raise UserError(
            f"{option} {folder} holds files of others, which scripts/{writer.removeprefix('scripts/')} did not write. "
            "Give a new or an empty folder."
        )
    if reason := unwritable(folder):
        raise UserError(f"{option} {folder} cannot be written: {reason}. Give a folder of yours.")


def unwritable(folder: Path) -> str | None:
    """Return why nothing can be created in `folder`, which need not exist yet; None if it is writable."""
    nearest = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(each))
    if not nearest.is_dir():
        return f"{nearest} is not a folder"
    return None if os.access(nearest, os.W_OK | os.X_OK) else f"uid {os.getuid()} may not write to {nearest}"


@contextlib.contextmanager
def used_alone(folder: Path, wait: bool = False) -> Iterator[int]:
    """Hold an exclusive lock on an existing folder; yields the descriptor that holds it.

    With `wait` it waits until another process has released the lock.

    Raises:
        UserError: Another process holds the lock.
    """
    busy = f"Another job is running in {folder}. Wait for it, or give another folder."
    with _locked(folder, busy, os.O_DIRECTORY, wait) as lock:
        yield lock


@contextlib.contextmanager
def changed_alone(path: Path, command: str) -> Iterator[None]:
    """Hold an exclusive lock on an existing file or folder while `command`, such as `scripts/export`, replaces it.

    The system releases it when the process ends, however it ends.

    Raises:
        UserError: Another process holds the lock.
        OSError: The path cannot be opened.
    """
    busy = f"Another {command} is changing {path}. Nothing was changed here. Wait for it, and run the command again."
    while True:
        with _locked(path, busy) as lock:
            if not os.path.samestat(os.fstat(lock), path.stat()):
                # Between opening and locking, the one before replaced the file, and another may lock the new one.
                continue
            yield
            return


@contextlib.contextmanager
def _locked(path: Path, busy: str, flags: int = 0, wait: bool = False) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(busy) from error
        yield descriptor
    finally:
        os.close(descriptor)
