"""The introduction notebook: its cells are one program, and its outputs are complete and those of its sources."""

import ast
import base64
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from image_classifier.contract.metrics import definitions
from tests.repository.project import ROOT
from tests.repository.test_guides import unassigned
from tests.support.guides import sections
from tools.documents import notebook
from tools.documents.reference import NOTEBOOK

PATH = ROOT / NOTEBOOK
BOOK = notebook.read(PATH)
CELLS = notebook.code_cells(BOOK)
OF_ONE_SDK = {"V2": "sdk-v2.md", "V3": "sdk-v3.md"}

ADDED = {("Estimator", "base_job_name"), ("ModelTrainer", "tags")}
"""Keywords that the guides do not need."""


def source_of(*conditions: str) -> str:
    """Return the sources of the cells that run under one of these conditions, and of those that run always."""
    other = {"LOCAL", "V3", "V2"} - set(conditions)
    beginnings = tuple(f"if {condition}:" for condition in other)
    return "\n".join(text for cell in CELLS if not (text := notebook.source(cell)).startswith(beginnings))


def printed(cell: dict[str, Any]) -> str:
    """Return what a cell printed."""
    return "".join("".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")


def images(cell: dict[str, Any]) -> list[Image.Image]:
    """Return the images that a cell displayed."""
    found = [output["data"]["image/png"] for output in cell["outputs"] if output["output_type"] == "display_data"]
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in found]


@pytest.mark.parametrize("condition", ["LOCAL", "V3", "V2"])
def test_every_name_is_assigned(condition: str) -> None:
    """Given the cells that run under one WHERE -> they compile, and read nothing that none of them assigns."""
    # Notebooks have `display`; the address of the artefact is read on SageMaker alone.
    known = {"display", "artefact"} if condition == "LOCAL" else {"display"}
    assert unassigned(source_of(condition)) - known == set()
    assert "image_classifier" not in source_of(condition)


def calls(code: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the classes and functions that code calls, with the keywords that it gives them."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), frozenset(word.arg for word in node.keywords if word.arg)


@pytest.mark.parametrize("condition", ["V3", "V2"])
def test_keywords_of_the_sdk_are_those_of_its_guide(condition: str) -> None:
    """Given the SDK's classes that the notebook calls -> its guide, which is run with the SDK, gives each keyword."""
    guide = "".join(sections(OF_ONE_SDK[condition])["On SageMaker"])
    known: dict[str, set[str]] = {}
    for name, words in calls(guide):
        known.setdefault(name, set()).update(words)
    own = "\n".join(text for cell in CELLS if (text := notebook.source(cell)).startswith(f"if {condition}:"))
    shared = [(name, words - known[name]) for name, words in calls(own) if name in known]
    assert len(shared) > 5
    assert {(name, word) for name, words in shared for word in words if (name, word) not in ADDED} == set()


def test_outputs_are_those_of_the_sources() -> None:
    """Given the committed outputs -> made from these sources by scripts/docs --notebook, all cells in order."""
    assert not notebook.is_stale(BOOK)
    assert [cell["execution_count"] for cell in CELLS] == list(range(1, len(CELLS) + 1))


def test_outputs_show_each_step() -> None:
    """Given the outputs -> classes, accuracy, verdict, chart, both answers, search and clean-up."""
    text = "\n".join(map(printed, CELLS))
    for part in (
        r"^mammals: \d+ images$",
        r"^Best epoch: \d+ of \d+, validation accuracy [01]\.\d{4}$",
        r"^Report: run/introduction/job/output/data/report\.html$",
        r'^\{"probabilities": \[[\d., e-]+\]\}$',
        r'^\{"probabilities": .*"labels": .*"predicted_label": "[\w ]+"\}$',
        r"^\d+ of \d+ held-out images right$",
        r"^Search: best is trial ",
        r"^2 servers stopped$",
    ):
        assert re.search(part, text, re.MULTILINE), part
    [chart] = [image for cell in CELLS for image in images(cell)]
    assert chart.format == "PNG"
    assert chart.width <= 500


def test_photographs_of_others_are_left_out() -> None:
    """Given the cell that shows images of the data set -> a sentence for each in their place."""
    [cell] = [cell for cell in CELLS if notebook.PHOTOGRAPHS in cell["metadata"].get("tags", [])]
    assert images(cell) == []
    assert notebook.LEFT_OUT in printed(cell)


def test_nothing_of_the_machine_is_in_it() -> None:
    """Given the file -> at most 400 kB, as the tool writes it, and no absolute path in an output."""
    assert PATH.read_text(encoding="utf-8") == notebook.text(BOOK)
    assert re.findall(r"(?<![\w.:/])/(?:tmp|home|root|work|usr)/\S*", "\n".join(map(printed, CELLS))) == []


def test_metric_is_declared() -> None:
    """Given the metric that the cells define -> the program's own expression."""
    [regex] = set(re.findall(r'r"(- val_accuracy: [^"]+)"', "".join(map(notebook.source, CELLS))))
    assert {"Name": "val_accuracy", "Regex": regex} in definitions()


def test_changed_source_would_be_noticed() -> None:
    """Given another source of a cell -> its outputs are stale."""
    changed = json.loads(json.dumps(BOOK))
    notebook.code_cells(changed)[0]["source"].append("\n")
    assert notebook.is_stale(changed)
