"""Notebooks are run cell by cell, and what they print and display becomes their outputs."""

import json
from pathlib import Path
from typing import Any

import pytest

from image_classifier.contract.errors import UserError
from tools.documents import notebook, reference

IMAGE = "from PIL import Image\nprint('before')\ndisplay(Image.new('RGB', (4, 3)))\nprint('after')"


def book(*sources: str, tags: tuple[str, ...] = ()) -> notebook.Notebook:
    """Return a notebook with a paragraph and code cells that have the same tags."""
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "source": ["A title"], "metadata": {}}]
    for source in sources:
        cell = {"cell_type": "code", "source": source.splitlines(keepends=True), "metadata": {"tags": list(tags)}}
        cells.append({**cell, "outputs": [], "execution_count": None})
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def executed(made: notebook.Notebook, **values: str | Path) -> list[list[dict[str, Any]]]:
    """Run a notebook and return the outputs of each code cell."""
    return [cell["outputs"] for cell in notebook.code_cells(notebook.execute(made, values, lambda _: None))]


def test_cells_share_their_names() -> None:
    """Given a name that one cell assigns and another prints -> the line is the second cell's output."""
    assert executed(book("x = 1", "print(x + 1)")) == [
        [],
        [{"name": "stdout", "output_type": "stream", "text": ["2\n"]}],
    ]


def test_values_take_the_place_of_assigned_ones(tmp_path: Path) -> None:
    """Given values for two names -> the cell sees them, a path as one, and the notebook keeps its own source."""
    made = book("from pathlib import Path\na = 1\nwork = 2\nprint(a, work.name)")
    [[output]] = executed(made, a="one", work=tmp_path / "mine")
    assert output["text"] == ["one mine\n"]
    assert "a = 1\n" in notebook.source(made["cells"][1])


def test_images_stand_where_they_are_displayed() -> None:
    """Given text, an image and text -> three outputs in this order, the image as PNG."""
    [[before, image, after]] = executed(book(IMAGE))
    assert (before["text"], after["text"]) == (["before\n"], ["after\n"])
    assert image["data"]["text/plain"] == ["<4 x 3 pixels>"]
    assert image["data"]["image/png"].startswith("iVBORw0KGgo")


def test_photographs_are_not_kept() -> None:
    """Given the tag photographs -> a sentence in place of the image."""
    [[output]] = executed(book(IMAGE, tags=(notebook.PHOTOGRAPHS,)))
    assert output["text"] == ["before\n", f"{notebook.LEFT_OUT}\n", "after\n"]


def test_failing_cell_is_named() -> None:
    """Given a cell that raises -> the error, with the number of the cell, its source and what it printed."""
    with pytest.raises(ZeroDivisionError) as raised:
        executed(book("x = 0", "print('so far')\n1 / x"))
    assert raised.value.__notes__ == ["in cell 2:\nprint('so far')\n1 / x\nafter it printed:\nso far\n"]


def test_too_large_a_notebook_is_rejected() -> None:
    """Given outputs of more than 400 kB -> an error with both numbers."""
    with pytest.raises(UserError, match="at most 400,000 are allowed"):
        notebook.text(notebook.execute(book("print('x' * 400_000)"), announce=lambda _: None))


def test_file_that_is_no_notebook_is_named(tmp_path: Path) -> None:
    """Given a text file -> one sentence."""
    (tmp_path / "a.ipynb").write_text("print()")
    with pytest.raises(UserError, match="is not a notebook of nbformat 4"):
        notebook.read(tmp_path / "a.ipynb")


def test_command_keeps_the_outputs_and_check_finds_stale_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given scripts/docs --notebook -> outputs in the file; given another source afterwards -> --check says so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reference, "FILES", {})
    path = tmp_path / reference.NOTEBOOK
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(book("print('done')")))
    assert reference.main(["--check"], tmp_path) == 1
    assert reference.main(["--notebook"], tmp_path) == 0
    assert reference.main(["--check"], tmp_path) == 0
    made = notebook.read(path)
    assert made["cells"][1]["outputs"][0]["text"] == ["done\n"]
    made["cells"][1]["source"] = ["print('other')"]
    path.write_text(json.dumps(made))
    capsys.readouterr()
    assert reference.main(["--check"], tmp_path) == 1
    assert (
        capsys.readouterr().out
        == f"{reference.NOTEBOOK} has the outputs of other sources: run scripts/docs --notebook.\n"
    )
