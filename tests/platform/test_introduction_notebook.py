"""The introduction notebook from its first to its last cell on this machine, with a tiny network and few images."""

import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support import stripes, tiny_models
from tests.support.guides import GUIDES
from tools.documents import notebook

pytestmark = [pytest.mark.slow, pytest.mark.every, pytest.mark.no_cover]


def forms(made: notebook.Notebook) -> list[list[str]]:
    """Return the kinds of each code cell's outputs; none of a cell that only stages a model, if it is not there yet."""
    return [
        [] if _only_stages(notebook.source(cell)) else [output["output_type"] for output in cell["outputs"]]
        for cell in notebook.code_cells(made)
    ]


def _only_stages(source: str) -> bool:
    return 'run("stage-backbone"' in source and "print(" not in source


def printed(cell: dict[str, Any]) -> str:
    """Return what a cell printed."""
    return "".join("".join(output.get("text", "")) for output in cell["outputs"])


def pack(folder: Path, archive: Path) -> None:
    """Pack a model folder."""
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as file:
        for path in folder.iterdir():
            file.add(path, path.name)


def test_every_cell_runs(tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given images, a backbone and a classifier already staged -> outputs of the forms of the committed ones."""
    committed = notebook.read(GUIDES / "introduction.ipynb")
    for part, count in (("train", 12), ("held-out", 4)):
        stripes.write(tmp_path / "stripes" / part, count)
    (tmp_path / "backbone").mkdir()
    (tmp_path / "backbone" / "model.tar.gz").write_bytes(tiny_backbone.read_bytes())
    pack(tiny_models.write(tmp_path / "classifier", "tiny").folder, tmp_path / "pretrained" / "model.tar.gz")
    # The notebook changes its working folder, as from that of its file.
    monkeypatch.chdir(GUIDES)
    done = notebook.execute(committed, {"work": tmp_path, "DATA": "stripes"})
    assert forms(done) == forms(committed)
    text = "\n".join(map(printed, notebook.code_cells(done)))
    for line in (
        "across: 12 images",
        "of 8 held-out images right",
        "tiny-",
        "Search: best is trial ",
        "2 servers stopped",
    ):
        assert line in text
    for folder in ("job", "further", "search"):
        assert (tmp_path / folder / "output" / "data" / "report.html").is_file()
