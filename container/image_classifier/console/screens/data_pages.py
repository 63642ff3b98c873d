"""What the routes of the Data screen share."""

import os
from collections.abc import Mapping
from pathlib import Path

from flask import render_template, request

from image_classifier.console.context import current
from image_classifier.console.datasets import health, imports, known
from image_classifier.console.datasets.contents import Contents
from image_classifier.console.datasets.known import DataSet
from image_classifier.console.rejection import not_found
from image_classifier.contract.errors import UserError
from image_classifier.contract.names import listed, on_one_line
from image_classifier.photographs import sample_sets

_NAMES_SHOWN = 3


def main_page(given: Mapping[str, str] | None = None, mistake: str = "", kind: str = "folder") -> str:
    """Return the page of all data sets; `given` and `mistake` are those of the form of this kind."""
    home = current().home
    data_sets = known.every(home)
    chosen = given or {name: request.args.get(name, "") for name in known.IMAGE_CHANNELS}
    return render_template(
        "data/main.html.j2",
        data_sets=[(one, health.facts(home, one)) for one in data_sets],
        imports=imports.every(home),
        samples=sample_sets.SAMPLES,
        given=chosen,
        mistake=mistake,
        kind=kind,
        channels=known.IMAGE_CHANNELS,
    )


def needed(key: str, check_roots: bool = True) -> DataSet:
    """Return a known data set whose folders the console may read.

    Raises:
        RejectedError: It is unknown.
        UserError: A folder lies outside the allowed ones since the console was started with others.
    """
    console = current()
    data_set = known.find(console.home, key)
    if data_set is None:
        raise not_found(f"Data set {key[:80]}", "Choose one on the Data screen.")
    if check_roots:
        for folder in data_set.folders.values():
            console.roots.resolve_folder(folder)
    return data_set


def revision() -> int:
    """Return the revision of the labels that the page of this form showed.

    Raises:
        UserError: The form does not say.
    """
    try:
        return int(request.form.get("revision", ""))
    except ValueError:
        raise UserError("The form does not say which labels it is based on. Reload the page.") from None


def path_of(text: str) -> Path:
    """Return a path from a form.

    Raises:
        UserError: It is empty, or no path can have it.
    """
    if not text.strip() or "\0" in text:
        raise UserError("No folder is given. Type or choose its path.")
    return Path(text.strip()).expanduser()


def name_of(folder: Path) -> str:
    """Return the name of a data set by its training folder: that of the folder above, if it is `train`."""
    return on_one_line(folder.parent.name if folder.name.lower() in ("train", "training") else folder.name)


def export_folder(data_set: DataSet) -> str:
    """Return a new folder to offer for the export: beside the data, or in the home folder if that is not writable."""
    above = data_set.folders[known.TRAINING].parent
    if data_set.is_imported or not os.access(above, os.W_OK):
        above = Path.home()
    return str(above / f"{data_set.key}-labels")


def problems_of_walk(found: Contents) -> list[str]:
    """Say what the listing skipped: links that lead out, pipes, folders that cannot be read."""
    lines = []
    for channel in found.channels:
        seen = channel.seen
        for paths, what in (
            ([path for path, _ in seen.unreadable], "folder(s) cannot be read"),
            ([path for path, _ in seen.out], "link(s) lead out of the folder and are not followed"),
            (seen.broken, "link(s) have no target"),
            (seen.special, "pipe(s), socket(s) or device(s) are not opened"),
        ):
            if paths:
                names = [on_one_line(path.removeprefix(f"{channel.folder}/")) for path in paths]
                lines.append(f"{channel.name.capitalize()}: {len(paths)} {what}: {listed(names, _NAMES_SHOWN)}.")
    return lines
