"""The report page."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier.contract import report_files
from image_classifier.evaluation import judgement, mistakes, model_card, model_quality, scores, thumbnails
from image_classifier.evaluation.evidence import TEST, VALIDATION
from image_classifier.evaluation.familiarity import Separation
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.label_issues import LabelIssue
from image_classifier.evaluation.report import images, page
from image_classifier.evaluation.report_folder import write
from tests.support import evaluations
from tests.support.html_page import Page

HOSTILE = "<script>alert(1)</script>"
LARGEST = 5_000_000


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """An evaluation of two classes with every section."""
    return evaluations.complete(tmp_path_factory.mktemp("complete"), 2, images=120)


@pytest.fixture(scope="module")
def html(complete: Evaluation) -> str:
    """Its report."""
    return page.build(complete)


def test_page_is_well_formed(html: str) -> None:
    """Given a report with every section -> every element is closed, ids are unique, and every anchor exists."""
    found = Page(html)
    assert found.faults == []
    assert len(found.ids) == len(set(found.ids))
    assert found.fragments - set(found.ids) == set()


def test_missing_end_tag_is_found(html: str) -> None:
    """Given a report without one of its end tags -> the check above finds it."""
    assert Page(html.replace("</section>", "", 1)).faults != []


def test_page_needs_neither_scripts_nor_the_network(html: str) -> None:
    """Given a report -> no script, no event handler, and no address but data URIs and anchors of the page."""
    found = Page(html)
    assert found.all("script") == []
    assert [name for one in found.elements for name in one.attributes if name.startswith("on")] == []
    addresses = {one.attributes[name] for one in found.elements for name in ("src", "href") if name in one.attributes}
    assert {one for one in addresses if not one.startswith(("data:image/webp;base64,", "#"))} == set()
    assert re.findall(r"url\((?!#)|@import", html) == []


def test_every_image_has_an_alternative(html: str) -> None:
    """Given a report -> photographs say file, label and answer, charts what they show."""
    found = Page(html)
    photographs, charts = (
        found.all("img"),
        [one for one in found.all("svg") if "chart" in one.attributes.get("class", "")],
    )
    assert len(photographs) > 50
    assert len(charts) == 4
    assert [one for one in photographs if not re.search(r", labelled \w|Occlusion map", one.attributes["alt"])] == []
    assert [one for one in charts if len(one.attributes["aria-label"]) < 40] == []


def test_sections_have_the_agreed_order(html: str) -> None:
    """Given a report -> the verdict comes first, then the nine sections."""
    headings = ["".join(one.texts) for one in Page(html).all("h2")]
    assert headings == [
        "Score",
        "Mistakes",
        "Labels to check",
        "Leaks and duplicates",
        "Slices",
        "Calibration",
        "Unfamiliar images",
        "Curves",
        "How it was made",
    ]
    assert html.index('class="verdict') < html.index('id="score"')


def test_hostile_names_are_text(tmp_path: Path) -> None:
    """Given a script in the names of classes, files, splits, hyperparameters and reasons -> no element comes of it."""
    names = (f"a{HOSTILE}", f'b" onload="alert(1) {HOSTILE}')
    bare = evaluations.evaluation(tmp_path, 2, images=120, names=names)
    issue = LabelIssue(VALIDATION, 0, 0, 1, 0.1)
    hostile = replace(
        bare,
        evidence=replace(
            bare.evidence,
            model_info={"model_id": HOSTILE, "hyperparameters": {HOSTILE: HOSTILE}, "versions": {HOSTILE: HOSTILE}},
            skipped=((HOSTILE, HOSTILE),),
            timings={HOSTILE: 1.0},
            learning_curve=[],
        ),
        label_issues=(issue,),
        left_out={judgement.LEARNING_CURVE: HOSTILE},
    )
    found = Page(page.build(hostile))
    assert found.all("script") == []
    assert [name for one in found.elements for name in one.attributes if name.startswith("on")] == []
    assert found.text.count(HOSTILE) > 10


def test_sections_without_results_say_why(tmp_path: Path) -> None:
    """Given an evaluation with nothing but score and mistakes -> each other section gives the reason in one line."""
    reasons = {
        judgement.FAMILIARITY: "the features of the images are not known",
        judgement.LEARNING_CURVE: "it needs the features of training images",
        judgement.TRAINING_LABELS: "the training images are not known",
    }
    bare = replace(evaluations.evaluation(tmp_path, 2, images=60), label_issues=(), calibration=None, left_out=reasons)
    found = Page(page.build(bare))
    lines = [
        " ".join("".join(one.texts).split()) for one in found.elements if "left-out" in one.attributes.get("class", "")
    ]
    assert len(lines) == 7
    assert all(any(reason in line for line in lines) for reason in reasons.values())


@pytest.mark.parametrize(
    ("record", "said", "unsaid"),
    [
        ({}, "change no predicted class: train with", "include temperature scaling"),
        (
            {"temperature": 1.6, "ece_before": 0.102, "ece_after": 0.031},
            "divided by 1.60, and the error on the validation images was 10.2 % before and 3.1 % after",
            "change no predicted class: train with",
        ),
        ({"temperature": "hot"}, "change no predicted class: train with", "include temperature scaling"),
        ({"left_out": "60 images are too few"}, "was left out: 60 images are too few.", "include temperature scaling"),
    ],
)
def test_calibrated_model_is_not_told_to_be_calibrated(
    tmp_path: Path, record: dict[str, Any], said: str, unsaid: str
) -> None:
    """Given an overconfident model -> the advice to scale; given one that was scaled -> by what, and no such advice."""
    bare = evaluations.evaluation(tmp_path, 2, images=400)
    assert bare.calibration is not None
    miscalibrated = replace(bare.calibration, ece=0.1, ece_by_chance=0.05, ece_after=0.03, temperature=1.6)
    evidence = replace(bare.evidence, model_info={"calibration": record})
    text = " ".join(Page(page.build(replace(bare, evidence=evidence, calibration=miscalibrated))).text.split())
    assert said in text
    assert unsaid not in text


@pytest.mark.parametrize(
    ("judged", "validation", "said", "unsaid"),
    [
        (TEST, 100, "change no predicted class: train with .", "It takes at least"),
        (TEST, 99, "It takes at least 100 validation images, and the job had 99:", "class: train with"),
        (TEST, None, "predicted class: train with and at least 100 validation images.", "the job had"),
        (VALIDATION, 99, "cannot be measured on fewer than 100 images. It takes at least 100", "class: train with"),
    ],
)
def test_advice_to_calibrate_fits_the_validation_images(
    tmp_path: Path, judged: str, validation: int | None, said: str, unsaid: str
) -> None:
    """Given an overconfident model and validation images that suffice for a temperature, or do not -> what to do."""
    bare = evaluations.evaluation(tmp_path, 2, images=400 if judged == TEST else 99)
    assert bare.calibration is not None
    miscalibrated = replace(bare.calibration, ece=0.1, ece_by_chance=0.05)
    if judged == TEST:
        miscalibrated = replace(miscalibrated, ece_after=0.03, temperature=1.6)
    images = replace(bare.evidence.judged, name=judged)
    others = (replace(images.part(np.arange(validation)), name=VALIDATION),) if judged == TEST and validation else ()
    evidence = replace(bare.evidence, judged=images, others=others, model_info={})
    found = replace(bare, evidence=evidence, calibration=miscalibrated)
    # Code, such as calibration=temperature, comes after its sentence.
    text = " ".join(Page(page.build(found, thumbnails=False)).text.split())
    assert said in text
    assert unsaid not in text


def test_model_without_mistakes(tmp_path: Path) -> None:
    """Given a model that is always right -> the section says so, and no confusion is listed."""
    bare = evaluations.evaluation(tmp_path, 3, images=200)
    judged = replace(bare.evidence.judged, labels=bare.evidence.judged.predicted)
    perfect = replace(
        bare,
        evidence=replace(bare.evidence, judged=judged),
        score=scores.measure(judged, bare.evidence.class_names),
        mistakes=mistakes.find(judged, 3),
    )
    text = Page(page.build(perfect)).text
    assert "No mistake on 200 images" in text
    assert "Images of each confusion" not in text


def test_score_that_notices_nothing_is_called_so(complete: Evaluation, html: str) -> None:
    """Given a class left out with an AUROC of 0.37 -> a sentence under the table; none where all are separated."""
    blind = replace(complete, separations=(Separation("blank images", 0.99, 200), Separation("class a", 0.37, 40)))
    sentence = "the score does little better than chance, or worse"
    assert Page(page.build(blind)).text.count(sentence) == 1
    assert sentence not in Page(html).text


def test_no_image_content_without_thumbnails(complete: Evaluation) -> None:
    """Given thumbnails switched off -> the page has no image, and names the files all the same."""
    html = page.build(complete, thumbnails=False)
    assert "data:image" not in html
    assert Page(html).all("img") == []
    assert complete.evidence.judged.files[complete.mistakes.confidently_wrong[0]].split("/")[1] in html


def test_images_that_are_gone_leave_their_captions(complete: Evaluation, tmp_path: Path) -> None:
    """Given image files that were deleted since -> the page is built, with captions alone."""
    gone = replace(complete.evidence.judged, folder=tmp_path)
    html = page.build(replace(complete, evidence=replace(complete.evidence, judged=gone, others=())))
    assert "data:image" not in html
    assert "Confidently wrong" in html


def test_two_hundred_classes_stay_small(tmp_path: Path) -> None:
    """Given 200 classes -> a table of confusions in place of the matrix, every class in a table, less than 5 MB."""
    many = evaluations.evaluation(tmp_path, 200, images=2000)
    html = page.build(many)
    found = Page(html)
    assert len(html) < LARGEST
    assert [one for one in found.all("table") if one.attributes.get("class", "").startswith("matrix")] == []
    assert [name for name in many.evidence.class_names if name not in found.text] == []
    assert found.faults == []


def test_thumbnails_have_a_budget(complete: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more images than the page may hold -> the first sections keep theirs, the last have captions alone."""
    monkeypatch.setattr(images, "MOST", 10)
    shown = Page(page.build(complete)).all("img")
    distinct = {one.attributes["src"] for one in shown}
    assert 0 < len(distinct) <= 10
    first = images.Photo(VALIDATION, complete.mistakes.confidently_wrong[0])
    assert (
        shown[0].attributes["src"]
        == thumbnails.read({0: thumbnails.Request(complete.evidence.judged.path(first.row))})[0].uri
    )


@pytest.mark.every
def test_page_of_costly_images_stays_within_its_limit(tmp_path: Path) -> None:
    """Given images of noise, five times as large as photographs when packed -> the page has less than 5 MB."""
    noise = np.random.default_rng(0)
    found = evaluations.complete(tmp_path, 10, images=500, skill=0.4)
    pixels = noise.integers(256, size=(96, 96, 3), dtype=np.uint8)
    for split in found.evidence.splits:
        for path in split.folder.rglob("*.png"):
            Image.fromarray(np.roll(pixels, int(noise.integers(96)), axis=1)).save(path)
    html = page.build(found)
    assert thumbnails.MAX_BYTES * 0.9 < len(html) < LARGEST


def test_all_files_are_written(complete: Evaluation, tmp_path: Path) -> None:
    """Given an evaluation -> page, both JSON files and the issues are in the folder, and a link there is replaced."""
    outside = tmp_path / "outside.html"
    outside.write_text("mine")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / report_files.REPORT).symlink_to(outside)
    write(complete, folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "evaluation.json",
        "evidence.npz",
        "issues.csv",
        "model_card.json",
        "report.html",
    ]
    assert outside.read_text() == "mine"
    assert (folder / report_files.REPORT).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_numbers_agree_with_the_other_files(complete: Evaluation, html: str) -> None:
    """Given an evaluation -> the accuracy of the page is that of evaluation.json and of the model card."""
    shown = re.search(r'<p class="big">([\d.]+)', html)
    assert shown
    quality = next(iter(model_quality.build(complete.evidence).values()))
    assert f"{quality['accuracy']['value'] * 100:.1f}" == shown[1]
    assert f"{complete.score.accuracy.value:.3f}"[:5] in str(model_card.build(complete))
