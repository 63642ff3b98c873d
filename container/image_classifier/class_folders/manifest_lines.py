"""Read the lines of a manifest: the path, the label and, if given, the split of each image. No image is looked for."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from image_classifier.class_folders import manifests
from image_classifier.class_folders.manifest_mistakes import Mistake, Mistakes
from image_classifier.contract.errors import UserError
from image_classifier.contract.json_objects import RepeatedNameError, each_name_once
from image_classifier.contract.names import has_control_characters, is_utf8, listed, normalised, on_one_line

TRAINING, VALIDATION, TEST = "training", "validation", "test"
_SPLITS = {
    **dict.fromkeys(("train", "training"), TRAINING),
    **dict.fromkeys(("val", "valid", "validation"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
_METADATA = "-metadata"
_CLASS_NAME = "class-name"
_HEAD = 64 * 1024
_LABELS_SHOWN = 5
_Row = tuple[int, str, Any, str]
"""Number of the line, source, label, split."""


@dataclass(frozen=True, slots=True)
class Line:
    """One image as the manifest names it."""

    number: int
    """Counted from 1."""
    source: str
    """A path relative to the channel, or an s3:// URI; not checked."""
    label: str
    """In Unicode's composed form."""
    split: str | None
    """`TRAINING`, `VALIDATION` or `TEST`; None: not given."""


def read(content: bytes, name: str, mistakes: Mistakes) -> list[Line]:
    """Return the lines of a manifest without those that have a mistake, which are added to `mistakes`.

    `name` is the file's, whose ending tells the format.

    Raises:
        UserError: The whole file is in another encoding, or its lines have several label attributes.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{on_one_line(mistakes.manifest)} is in UTF-16. Save it as UTF-8.")
    texts = _decoded(content, mistakes)
    rows = _csv_rows(texts, mistakes) if name.lower().endswith(manifests.CSV_ENDING) else _json_rows(texts, mistakes)
    return [line for row in rows if (line := _line(*row, mistakes))]


def _decoded(content: bytes, mistakes: Mistakes) -> list[str]:
    texts = []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True), start=1):
        try:
            texts.append(line.decode())
        except UnicodeDecodeError:
            mistakes.add(Mistake.NOT_UTF8, number, repr(line.strip()[:40])[2:-1])
            texts.append("\n")
    return texts


def _line(number: int, source: str, label: Any, split: str, mistakes: Mistakes) -> Line | None:
    source, split = source.strip(), split.strip()
    if isinstance(label, bool) or not isinstance(label, str | int | None):
        mistakes.add(Mistake.ODD_LABEL, number, json.dumps(label))
        return None
    name = normalised("" if label is None else str(label).strip())
    wrong = [
        (Mistake.NO_PATH, not source, ""),
        (Mistake.NO_LABEL, not name, source),
        (Mistake.FOLDER_LABEL, bool(name) and not _can_name_a_folder(name), name),
        (Mistake.SPLIT, bool(split) and split.lower() not in _SPLITS, split),
    ]
    for kind, is_wrong, detail in wrong:
        if is_wrong:
            mistakes.add(kind, number, detail)
    if any(is_wrong for _, is_wrong, _ in wrong):
        return None
    return Line(number, source, name, _SPLITS.get(split.lower()))


@cache
def _can_name_a_folder(label: str) -> bool:
    # Corrected data sets, and whatever else reads classes from folders, use the label as a folder's name.
    return not ("/" in label or label.startswith(".") or has_control_characters(label)) and is_utf8(label)


def _csv_rows(texts: Sequence[str], mistakes: Mistakes) -> Iterator[_Row]:
    separated_by = manifests.separator("".join(texts)[:_HEAD]) or ","
    reader = csv.reader(texts, delimiter=separated_by)
    columns: tuple[int, int, int | None] | None = None
    width = 0
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            mistakes.add(Mistake.NOT_CSV, number, str(error))
            continue
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        if columns is None:
            columns, width = _columns(row)
            if manifests.is_header(row):
                if _names_a_column_twice(row):
                    mistakes.add(Mistake.COLUMN_TWICE, number, separated_by.join(row))
                continue
            if not manifests.names_an_image(row):
                mistakes.add(Mistake.HEADER, number, separated_by.join(row))
                continue
        if len(row) not in (width, *((2, 3) if width == 0 else ())):
            mistakes.add(Mistake.CELLS, number, separated_by.join(row))
            continue
        path, label, split = columns
        yield number, row[path], row[label], row[split] if split is not None and split < len(row) else ""


def _names_a_column_twice(row: Sequence[str]) -> bool:
    names = [cell.strip().lower() for cell in row]
    return any(names.count(column) > 1 for column in (manifests.PATH, manifests.LABEL, manifests.SPLIT))


def _columns(row: Sequence[str]) -> tuple[tuple[int, int, int | None], int]:
    """Return the places of path, label and split, and how many cells each row has; 0: two or three."""
    if not manifests.is_header(row):
        return (0, 1, 2), 0
    names = [cell.strip().lower() for cell in row]
    split = names.index(manifests.SPLIT) if manifests.SPLIT in names else None
    return (names.index(manifests.PATH), names.index(manifests.LABEL), split), len(row)


def _json_rows(texts: Sequence[str], mistakes: Mistakes) -> Iterator[_Row]:
    objects = list(_objects(texts, mistakes))
    attribute = _label_attribute([found for _, found in objects], mistakes.manifest)
    named = any(_class_name(found, attribute) for _, found in objects)
    for number, found in objects:
        source, split = found.get(manifests.SOURCE_REF), found.get(manifests.SPLIT, "")
        if not isinstance(source, str):
            mistakes.add(Mistake.NO_SOURCE, number)
            continue
        if not isinstance(split, str):
            mistakes.add(Mistake.SPLIT, number, json.dumps(split))
            continue
        # Indices and names in one manifest would be two classes for one.
        label = _class_name(found, attribute) if named else found.get(attribute)
        yield number, source, label, split


def _objects(texts: Sequence[str], mistakes: Mistakes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        try:
            found = json.loads(text, object_pairs_hook=each_name_once)
        except RepeatedNameError as error:
            mistakes.add(Mistake.NAME_TWICE, number, str(error))
            continue
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            yield number, found
        else:
            mistakes.add(Mistake.NOT_JSON, number, text.strip())


def _label_attribute(objects: Sequence[Mapping[str, Any]], manifest: str) -> str:
    """Return the name of the label attribute: the one with metadata, else the only other one; empty without any."""
    names = {name for found in objects for name in found if name not in (manifests.SOURCE_REF, manifests.SPLIT)}
    described = sorted(name.removesuffix(_METADATA) for name in names if name.endswith(_METADATA))
    found = described or sorted(names)
    if len(found) > 1:
        raise UserError(
            f"{on_one_line(manifest)} has several label attributes: "
            f"{listed(list(map(on_one_line, found)), _LABELS_SHOWN)}. Leave one of them, with its {_METADATA}, in the "
            "lines."
        )
    return found[0] if found else ""


def _class_name(found: Mapping[str, Any], attribute: str) -> Any:
    metadata = found.get(f"{attribute}{_METADATA}")
    return metadata.get(_CLASS_NAME) if isinstance(metadata, Mapping) else None
