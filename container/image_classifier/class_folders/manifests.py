"""Recognise manifests: files directly in a channel that list its images with their labels, instead of class folders.

A CSV file is a manifest if its first row names the columns `path` and `label`, or if one of its first rows begins with
the name of an image. A `.jsonl` or `.manifest` file is one if its first lines have `source-ref`, as SageMaker's
augmented manifests do. Any other table beside class folders is not used, as before.
"""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from image_classifier.class_folders import channel_walk
from image_classifier.class_folders.channel_walk import Findings
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.contract.names import listed, on_one_line
from image_classifier.imaging import EXTENSIONS

CSV_ENDING = ".csv"
ENDINGS = (CSV_ENDING, ".jsonl", ".manifest")
SOURCE_REF = "source-ref"
PATH, LABEL, SPLIT = "path", "label", "split"
"""Columns of a CSV manifest."""
EXPECTED = (
    "a CSV file with the columns path,label (and split, if given), or a .manifest or .jsonl file of lines with "
    "source-ref and a label"
)
_SEPARATORS = ",;\t"
_HEAD_BYTES = 64 * 1024
_ROWS = 20
"""First rows of a CSV file of which one has to name an image."""


def find(folder: str, names: Sequence[str], storage: Storage) -> list[str]:
    """Return those of a folder's file names that are manifests; opens only files that are called like one.

    Raises:
        PlatformError: A file cannot be read.
    """
    called = [name for name in names if name.lower().endswith(ENDINGS)]
    return [name for name in called if _is_manifest(name, storage.read(Path(folder, name), _HEAD_BYTES))]


def in_folder(folder: Path) -> list[str]:
    """Return the names of the manifests that lie directly in a folder.

    Raises:
        PlatformError: A file cannot be read.
    """
    seen = Findings(storage=Storage(pauses=()))
    entries = channel_walk.entries(str(folder), os.path.realpath(folder), seen)
    return find(str(folder), [entry.name for entry in entries if not entry.is_folder], seen.storage)


def folder_of(given: Path, option: str) -> Path:
    """Return the folder that a user names by its manifest, or the given path if that is not a file.

    Args:
        given: A folder, or the manifest in it.
        option: What the user named it by, such as `--training`, for messages.

    Raises:
        UserError: The file is not a manifest, or the folder has several.
    """
    if not given.is_file():
        return given
    folder = given.parent
    try:
        found = in_folder(folder)
    except PlatformError as error:
        raise UserError(f"{option} {given} cannot be used: {error}") from error
    if given.name not in found:
        raise UserError(f"{option} {given} is not a manifest. Expected a folder, or {EXPECTED}.")
    if len(found) > 1:
        raise UserError(f"{option} {given}: {several(str(folder), found)}")
    return folder


def several(folder: str, names: Sequence[str]) -> str:
    """Return the sentence for a folder with more than one manifest."""
    shown = listed(list(map(on_one_line, names)))
    return f"{on_one_line(folder)} holds {len(names)} manifests: {shown}. Leave one of them there."


def separator(head: str) -> str | None:
    """Return what separates the cells of a CSV manifest, of which `head` is the beginning; None: it is not one."""
    for candidate in _SEPARATORS:
        rows = first_rows(head, candidate)
        if rows and (is_header(rows[0]) or any(names_an_image(row) for row in rows)):
            return candidate
    return None


def first_rows(head: str, separated_by: str) -> list[list[str]]:
    """Return the first rows that are not empty."""
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(head, newline=""), delimiter=separated_by):
            if any(cell.strip() for cell in row):
                found.append(row)
            if len(found) == _ROWS:
                break
    except csv.Error:
        pass
    return found


def is_header(row: Sequence[str]) -> bool:
    """Return whether a row names the columns `path` and `label`, in any case and order."""
    return {PATH, LABEL} <= {cell.strip().lower() for cell in row}


def names_an_image(row: Sequence[str]) -> bool:
    """Return whether a row without a header's names is that of an image: its first cell ends like one."""
    return len(row) in (2, 3) and row[0].strip().lower().endswith(tuple(EXTENSIONS))


def _is_manifest(name: str, head: bytes) -> bool:
    if name.lower().endswith(CSV_ENDING):
        return separator(_text(head)) is not None
    return f'"{SOURCE_REF}"' in _text(head)


def _text(head: bytes) -> str:
    # UTF-16, which Excel calls Unicode text, is recognised here so that its own sentence can be given.
    is_utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    return head.decode("utf-16" if is_utf16 else "utf-8-sig", errors="replace")
