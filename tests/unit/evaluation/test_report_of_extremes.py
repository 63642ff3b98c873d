"""The report of unusual data and models: sentences that stay true, numbers that agree, files that belong together."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from image_classifier.contract import report_files
from image_classifier.evaluation import calibration, mistakes, model_card, report_folder, scores
from image_classifier.evaluation.evidence import VALIDATION
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.report import page
from image_classifier.evaluation.statistics import Proportion
from tests.support import evaluations
from tests.support.html_page import Page


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """An evaluation of two classes with every section."""
    return evaluations.complete(tmp_path_factory.mktemp("complete"), 2, images=120)


def test_log_loss_is_the_same_in_all_sections(tmp_path: Path) -> None:
    """Given certain answers that are wrong -> score and calibration show one log loss, that of the model card."""
    bare = evaluations.evaluation(tmp_path, 2, images=200)
    judged = replace(bare.evidence.judged, probabilities=np.tile(np.eye(2, dtype=np.float32)[0], (200, 1)))
    names = bare.evidence.class_names
    certain = replace(
        bare,
        evidence=replace(bare.evidence, judged=judged),
        score=scores.measure(judged, names),
        mistakes=mistakes.find(judged, 2),
        calibration=calibration.measure(judged),
    )
    shown = re.findall(r"[Ll]og loss ([\d.]+)", Page(page.build(certain)).text)
    assert len(shown) == 2
    assert set(shown) == {f"{certain.score.log_loss:.3f}"}


def test_images_that_are_all_leaked_leave_no_score(complete: Evaluation) -> None:
    """Given a validation channel that training holds too -> a sentence about it, and no undefined accuracy."""
    rows = tuple(range(len(complete.evidence.judged)))
    assert complete.duplicates
    leaked = replace(complete, duplicates=replace(complete.duplicates, leaked=rows, accuracy_without=Proportion(0, 0)))
    text = Page(page.build(leaked)).text
    assert f"All {len(rows)} validation images are also in another split" in text
    assert "undefined" not in text


def test_no_map_is_called_unreliable_where_none_is_shown(complete: Evaluation) -> None:
    """Given unreliable maps -> the note stands below each; given no thumbnails -> no such note."""
    maps = {row: replace(one, drop_top=0.0, drop_random=0.0) for row, one in complete.occlusion_maps.items()}
    unreliable = replace(complete, occlusion_maps=maps)
    note = "map not reliable: ignore it"
    assert page.build(unreliable).count(note) == len(maps)
    assert note not in page.build(unreliable, thumbnails=False)


def test_labels_of_a_folder_were_perhaps_seen_in_training(complete: Evaluation) -> None:
    """Given images without the training images -> no claim that the model has not seen them, but what that means."""
    alone = replace(complete, evidence=replace(complete.evidence, others=()), duplicates=None, label_issues=())
    text = Page(page.build(alone)).text
    assert "not trained on it" not in text
    assert "If the model was trained on these images, it confirms their labels" in text
    assert "not trained on it" in Page(page.build(replace(complete, label_issues=()))).text


def test_names_that_are_not_utf_8_are_escaped(complete: Evaluation) -> None:
    """Given a split, as of a folder, whose name is not UTF-8 -> a page that can be encoded."""
    name = "caf\udce9"
    judged = replace(complete.evidence.judged, name=name)
    groups = tuple(
        replace(group, members=tuple(replace(one, split=name) for one in group.members if one.split == VALIDATION))
        for group in (complete.duplicates.groups if complete.duplicates else ())
    )
    named = replace(
        complete,
        evidence=replace(complete.evidence, judged=judged),
        score=replace(complete.score, split=name),
        duplicates=complete.duplicates and replace(complete.duplicates, groups=groups),
        label_issues=(),
    )
    assert b"caf\\xe9" in page.build(named).encode()


def test_files_of_an_earlier_evaluation_do_not_survive_a_failure(
    complete: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a disk that is full while the second file is written -> nothing of an earlier evaluation stands beside."""
    for name in report_files.ALL:
        (tmp_path / name).write_text("earlier")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_card, "build", fail)
    with pytest.raises(OSError, match="No space left"):
        report_folder.write(complete, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [report_files.MODEL_QUALITY]
