"""Notebooks in nbformat's JSON: their code cells run in order, and what they print and display becomes their outputs.

https://nbformat.readthedocs.io/en/latest/format_description.html. A cell with the tag `photographs` displays images of
other licences than this project's: its outputs keep a sentence in place of each.
"""

import base64
import builtins
import contextlib
import hashlib
import io
import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from image_classifier.contract.errors import UserError

Notebook = dict[str, Any]
PHOTOGRAPHS = "photographs"
LEFT_OUT = "(An image of the data set is shown here when you run the cell; the repository has none of them.)"
_HASH = "outputs_of_sources_sha256"
_LARGEST = 400_000
"""Bytes of a notebook with its outputs."""


def read(path: Path) -> Notebook:
    """Return a notebook.

    Raises:
        UserError: The file is not a notebook.
    """
    try:
        found: Notebook = json.loads(path.read_text(encoding="utf-8"))
        if found["nbformat"] != 4:
            raise ValueError(f"nbformat {found['nbformat']}")
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is not a notebook of nbformat 4: {error!r}.") from error
    return found


def text(notebook: Notebook) -> str:
    """Return a notebook as Jupyter writes it.

    Raises:
        UserError: It is larger than 400 kB.
    """
    written = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    if len(written.encode()) > _LARGEST:
        raise UserError(f"The notebook has {len(written.encode()):,} bytes, and at most {_LARGEST:,} are allowed.")
    return written


def code_cells(notebook: Notebook) -> list[dict[str, Any]]:
    """Return the code cells in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def source(cell: Mapping[str, Any], values: Mapping[str, str | Path] | None = None) -> str:
    """Return the source of a cell, with other values for names that it assigns at its top level."""
    found = "".join(cell["source"])
    for name, value in (values or {}).items():
        written = f"Path({str(value)!r})" if isinstance(value, Path) else repr(value)
        written = f"{name} = {written}".replace("\\", r"\\")
        found = re.sub(rf"^{name} = .*$", written, found, flags=re.MULTILINE)
    return found


def sources_sha256(notebook: Notebook) -> str:
    """Return the hash of the sources of all code cells."""
    return hashlib.sha256("\0".join(source(cell) for cell in code_cells(notebook)).encode()).hexdigest()


def is_stale(notebook: Notebook) -> bool:
    """Return whether the outputs are missing or those of other sources."""
    return bool(notebook["metadata"].get(_HASH) != sources_sha256(notebook))


def execute(
    notebook: Notebook, values: Mapping[str, str | Path] | None = None, announce: Callable[[str], None] = print
) -> Notebook:
    """Run all code cells in this process, and return the notebook with their outputs.

    Args:
        notebook: Stays as it is.
        values: Values for names that cells assign.
        announce: Receives a line for each cell.

    Raises:
        Exception: What a cell raises, with the cell's number in a note.
    """
    made: Notebook = json.loads(json.dumps(notebook))
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(code_cells(made), 1):
        announce(f"cell {number}: {source(cell).splitlines()[0]}")
        outputs = _Outputs(PHOTOGRAPHS in cell["metadata"].get("tags", []))
        with outputs.recording():
            try:
                exec(compile(source(cell, values), f"<cell {number}>", "exec"), names)
            except Exception as error:
                error.add_note(f"in cell {number}:\n{source(cell)}\nafter it printed:\n{outputs.printed()}")
                raise
        cell["outputs"], cell["execution_count"] = outputs.found(), number
    made["metadata"][_HASH] = sources_sha256(made)
    return made


class _Outputs:
    """What one cell prints and displays."""

    def __init__(self, without_images: bool) -> None:
        self._without_images = without_images
        self._found: list[dict[str, Any]] = []
        self._stream = io.StringIO()

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record in this context, which has the function `display` of notebooks."""
        vars(builtins)["display"] = self._display
        try:
            with contextlib.redirect_stdout(self._stream):
                yield
        finally:
            del vars(builtins)["display"]

    def printed(self) -> str:
        """Return what was printed since the last image."""
        return self._stream.getvalue()

    def found(self) -> list[dict[str, Any]]:
        """Return the outputs in nbformat's form, in order."""
        self._flush()
        return self._found

    def _flush(self) -> None:
        if printed := self._stream.getvalue():
            lines = printed.splitlines(keepends=True)
            self._found.append({"name": "stdout", "output_type": "stream", "text": lines})
        self._stream.seek(0)
        self._stream.truncate()

    def _display(self, *shown: Any) -> None:
        for each in shown:
            if self._without_images:
                print(LEFT_OUT)
                continue
            self._flush()
            image: bytes = each._repr_png_()
            width, height = struct.unpack(">II", image[16:24])
            data = {"image/png": base64.b64encode(image).decode(), "text/plain": [f"<{width} x {height} pixels>"]}
            self._found.append({"data": data, "metadata": {}, "output_type": "display_data"})
