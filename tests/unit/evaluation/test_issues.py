"""`issues.csv`."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from image_classifier.contract import csv_cells, report_files
from image_classifier.evaluation import familiarity, issues
from image_classifier.evaluation.evidence import VALIDATION, Head
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.label_issues import LabelIssue
from tests.support import evaluations


@pytest.fixture
def plain(tmp_path: Path) -> Evaluation:
    """An evaluation of 400 ordinary images without any issue."""
    found = evaluations.evaluation(tmp_path, 2)
    ordinary = {one.name: [evaluations.traits(row) for row in range(len(one))] for one in found.evidence.splits}
    return replace(found, traits=ordinary, label_issues=())


def kinds(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return kind and file of each issue."""
    return [(one.kind, one.file) for one in issues.collect(evaluation)]


def test_ordinary_images_have_no_issue(plain: Evaluation) -> None:
    """Given 1,200 images whose traits vary as usual -> nothing is found."""
    assert kinds(plain) == []


@pytest.mark.parametrize(
    ("kind", "changed"),
    [("dark", {"brightness": 0.04}), ("bright", {"brightness": 0.97}), ("blur", {"sharpness": 2.0})],
)
def test_outlier_is_found(plain: Evaluation, kind: str, changed: dict[str, float]) -> None:
    """Given one dark, bright or blurred image among ordinary ones -> it is found, under its kind alone."""
    found = list(plain.traits[VALIDATION])
    found[7] = evaluations.traits(7, **changed)
    changed_evaluation = replace(plain, traits={**plain.traits, VALIDATION: found})
    assert kinds(changed_evaluation) == [(kind, f"validation/{plain.evidence.judged.files[7]}")]


def test_dark_data_set_is_not_an_outlier(plain: Evaluation) -> None:
    """Given images that are all dark -> none is an issue, since none differs from the others."""
    dark = [evaluations.traits(row, brightness=0.05 + row % 7 / 100) for row in range(400)]
    assert kinds(replace(plain, traits={VALIDATION: dark})) == []


def test_images_of_one_colour_are_not_blurred(plain: Evaluation) -> None:
    """Given images without any edge -> none is an issue, since none differs from the others."""
    flat = [evaluations.traits(row, sharpness=0.0) for row in range(400)]
    assert kinds(replace(plain, traits={VALIDATION: flat})) == []


@pytest.mark.parametrize("planted", [(), (5, 250)], ids=["none", "two"])
def test_unfamiliar_images_are_outliers(plain: Evaluation, planted: tuple[int, ...]) -> None:
    """Given 400 judged images of the training images' kind, and two unlike them -> these two, else none."""
    noise = np.random.default_rng(0)
    training, features = (noise.normal(0, 1, (count, 16)).astype(np.float32) for count in (800, 400))
    features[list(planted)] += 12
    model = familiarity.fit(training, features[300:], Head(np.eye(16, 2, dtype=np.float32), np.zeros(2, np.float32)))
    judged = replace(plain.evidence.judged, features=features)
    evaluation = replace(
        plain,
        evidence=replace(plain.evidence, judged=judged),
        familiarity=model.score(features),
        familiarity_model=model,
    )
    assert sorted(kinds(evaluation)) == [("unfamiliar", issues.file_name(judged, row)) for row in planted]


def test_all_kinds_are_written(tmp_path: Path) -> None:
    """Given an evaluation with every section -> each row has file, kind, a score in [0, 1] and a suggestion."""
    found = evaluations.complete(tmp_path / "data", 2, images=120)
    issues.write(tmp_path, issues.collect(found))
    with (tmp_path / report_files.ISSUES).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == issues.HEADER
    assert {row[1] for row in rows} >= {"label", "leak", "duplicate", "unreadable"}
    assert all(0 <= float(row[2]) <= 1 for row in rows)
    assert all(row[0] and row[3] for row in rows)
    leak = next(row for row in rows if row[1] == "leak")
    assert leak[0].startswith("training/")
    assert f"validation/{found.evidence.judged.files[0]}" in leak[3]


def test_names_like_formulas_are_escaped(tmp_path: Path) -> None:
    """Given a file name that a spreadsheet would run -> the cell is marked, and its text can be restored."""
    bare = evaluations.evaluation(tmp_path, 2, names=("=cmd|' /C calc'!A0", "b"))
    hostile = replace(bare, label_issues=(LabelIssue(VALIDATION, 0, 0, 1, 0.1),))
    split = replace(hostile.evidence.judged, folder=Path())
    hostile = replace(hostile, evidence=replace(hostile.evidence, judged=split))
    issues.write(tmp_path, issues.collect(hostile))
    with (tmp_path / report_files.ISSUES).open(encoding="utf-8", newline="") as file:
        cell = list(csv.reader(file))[1][0]
    assert cell.startswith("'=cmd")
    assert csv_cells.text_of(cell) == split.files[0]


def test_link_is_replaced_not_followed(tmp_path: Path) -> None:
    """Given a link under the name of the file -> the link's target keeps its content."""
    target = tmp_path / "other.csv"
    target.write_text("mine")
    (tmp_path / report_files.ISSUES).symlink_to(target)
    issues.write(tmp_path, [])
    assert target.read_text() == "mine"
    assert (tmp_path / report_files.ISSUES).read_text().startswith("file,kind")
