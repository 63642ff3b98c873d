"""The verdict's sentences by situation."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from image_classifier.evaluation import mistakes, scores, verdict
from image_classifier.evaluation.duplicates import Duplicates
from image_classifier.evaluation.evidence import Evidence, Split
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.label_issues import LabelIssue
from image_classifier.evaluation.statistics import Proportion
from image_classifier.evaluation.verdict import Level
from tests.support import evaluations


def judged(matrix: list[list[int]], names: tuple[str, ...] | None = None) -> Evaluation:
    """Return an evaluation whose images have the labels (rows) and answers (columns) of a confusion matrix."""
    cells = np.repeat(list(np.ndindex(len(matrix), len(matrix))), np.ravel(matrix), axis=0).tolist()
    labels = np.array([label for label, _ in cells], np.int64)
    probabilities = np.full((len(cells), len(matrix)), 0.1, np.float32)
    for row, (_, answer) in enumerate(cells):
        probabilities[row, answer] = 0.9
    named = names or tuple("abcdefgh"[: len(matrix)])
    split = Split("test", Path("data/test"), tuple(f"{row}.png" for row in range(len(cells))), labels, probabilities)
    found = mistakes.find(split, len(matrix))
    return Evaluation(Evidence(named, split), scores.measure(split, named), found, None)


def with_leaks(count: int) -> Evaluation:
    """Return an evaluation of 200 images of which some are leaked."""
    rows = tuple(range(count))
    right = max(185 - count, 0)
    return replace(judged([[95, 5], [5, 95]]), duplicates=Duplicates((), rows, Proportion(right, 200 - count)))


def with_label_issues(count: int) -> Evaluation:
    """Return an evaluation of 200 images with labels to check."""
    issues = tuple(LabelIssue("test", row, 0, 1, 0.1) for row in range(count))
    return replace(judged([[95, 5], [5, 95]]), label_issues=issues)


SITUATIONS: dict[str, tuple[Callable[[], Evaluation], Level, str, str, str]] = {
    "no better than a constant": (
        lambda: judged([[150, 30], [18, 2]]),
        Level.BAD,
        'Worse than always answering "a".',
        'percentage points below always answering "a"',
        "mistakes",
    ),
    "interval overlaps the baseline": (
        lambda: judged([[60, 6], [22, 14]]),
        Level.BAD,
        'Not shown to be better than always answering "a".',
        "72.5 % of 102 test images are right (95 % interval 63.2 to 80.3 %), 7.8 percentage points above",
        "mistakes",
    ),
    "as good as a constant": (
        lambda: judged([[100, 0], [20, 0]]),
        Level.BAD,
        'Not shown to be better than always answering "a".',
        'as many as by always answering "a"',
        "mistakes",
    ),
    "few images": (
        lambda: judged([[28, 2], [1, 29]]),
        Level.CAUTION,
        "Promising, but judged on too few images to rely on.",
        "95.0 % of 60 test images are right",
        "score",
    ),
    "no image": (lambda: judged([[0, 0], [0, 0]]), Level.BAD, "Not measured.", "The test data hold no image.", "score"),
    "one image": (
        lambda: judged([[1, 0], [0, 0]]),
        Level.BAD,
        "Not shown to be better",
        "100.0 % of 1 test image is right",
        "score",
    ),
    "too often wrong": (
        lambda: judged([[70, 30], [28, 72]]),
        Level.CAUTION,
        "Better than always answering one class, but too often wrong to act on without a check.",
        "71.0 % of 200",
        "mistakes",
    ),
    "good": (
        lambda: judged([[180, 20], [22, 178]]),
        Level.CAUTION,
        "Good enough to assist, not to decide alone.",
        "89.5 % of 400 test images are right (95 % interval 86.1 to 92.1 %), 39.5 percentage points above",
        "mistakes",
    ),
    "reliable": (
        lambda: judged([[498, 2], [3, 497]]),
        Level.GOOD,
        "Reliable on images like these.",
        "99.5 % of 1,000",
        "mistakes",
    ),
    "a class is missed": (
        lambda: judged([[300, 0, 0], [0, 300, 0], [20, 5, 5]]),
        Level.CAUTION,
        'Good overall, but it misses most images of "c".',
        "96.0 % of 630",
        "mistakes",
    ),
    "a class is missed, and one of two images has no right answer": (
        lambda: judged([[300, 0, 0, 0], [0, 300, 0, 0], [20, 5, 5, 0], [2, 0, 0, 0]]),
        Level.CAUTION,
        'Good overall, but it misses most images of "c".',
        "95.7 % of 632",
        "mistakes",
    ),
    "perfect": (
        lambda: judged([[200, 0], [0, 200]]),
        Level.GOOD,
        "Reliable on images like these.",
        "100.0 % of 400",
        "score",
    ),
    "leaks": (
        lambda: with_leaks(12),
        Level.BAD,
        "Not fairly measured",
        "95.0 % of 200",
        "duplicates",
    ),
    "leaks alone": (
        lambda: with_leaks(200),
        Level.BAD,
        "Not fairly measured: all of the judged images are in another split too.",
        "95.0 % of 200",
        "duplicates",
    ),
    "one leak": (lambda: with_leaks(1), Level.CAUTION, "Good enough to assist", "95.0 % of 200", "duplicates"),
    "label issues": (lambda: with_label_issues(14), Level.CAUTION, "Good enough to assist", "95.0 % of 200", "labels"),
    "few label issues": (
        lambda: with_label_issues(2),
        Level.CAUTION,
        "Good enough to assist",
        "95.0 % of 200",
        "mistakes",
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_verdict_of_a_situation(name: str) -> None:
    """Given a situation -> the level, the first two sentences and the section of the first step are those of it."""
    make, level, how_good, measured, section = SITUATIONS[name]
    found = verdict.conclude(make())
    assert (found.level, found.section) == (level, section)
    assert found.how_good.startswith(how_good)
    assert measured in found.measured
    assert found.text.count(". ") >= 2
    assert found.text.endswith(".")


@pytest.mark.parametrize(
    ("evaluation", "first_step"),
    [
        (
            with_leaks(12),
            "First remove the 12 test images that another split also holds: without them 92.0 % are right.",
        ),
        (
            with_leaks(1),
            "First remove the 1 test image that another split also holds: without it 92.5 % are right.",
        ),
        (
            replace(judged([[5, 95], [95, 5]]), label_issues=with_label_issues(14).label_issues),
            'First look at the 95 images of "a" that it calls "b": they are 95 of its 190 mistakes.',
        ),
        (with_leaks(200), "First give other images to judge it by: another split holds all of these."),
        (with_label_issues(14), "First check the 14 labels that confident predictions contradict."),
        (
            judged([[57, 43], [13, 287]], ("defective", "functional")),
            'First look at the 43 images of "defective" that it calls "functional": they are 43 of its 56 mistakes.',
        ),
        (
            judged([[200, 0], [0, 200]]),
            "First try it on images of another day, place or camera, since these left no mistake to learn from.",
        ),
        (
            judged([[20, 0], [0, 20]]),
            "First set aside more labelled images: it takes at least 100 to tell whether the model is good enough.",
        ),
    ],
    ids=["leaks", "one leak", "labels of a bad model", "leaks alone", "labels", "confusion", "perfect", "few"],
)
def test_first_step(evaluation: Evaluation, first_step: str) -> None:
    """Given leaks, label issues, one frequent confusion, no mistake, or few images -> that is what to do first."""
    assert verdict.conclude(evaluation).first_step == first_step


def test_spread_mistakes_of_many_classes_lead_to_the_weakest(tmp_path: Path) -> None:
    """Given 200 classes whose mistakes are spread -> the first step is about the weakest class, not one confusion."""
    found = verdict.conclude(evaluations.evaluation(tmp_path, 200, images=2000))
    assert "its weakest class: it recognises" in found.first_step


def test_very_long_class_name_is_shortened() -> None:
    """Given class names of 300 characters with a line break -> the sentences stay short and on one line."""
    names = ("defective\n" + "x" * 300, "functional" + "y" * 300)
    text = verdict.conclude(judged([[70, 30], [28, 72]], names)).text
    assert "\n" not in text
    assert len(text) < 500


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("test", "95.0 % of 200 test images are right"),
        ("photos", "95.0 % of 200 images of photos are"),
        ("caf\udce9\n", "95.0 % of 200 images of caf\\xe9\\x0a are"),
    ],
)
def test_images_of_a_folder_are_those_of_the_folder(split: str, words: str) -> None:
    """Images of a split, and of a folder that scripts/evaluate judges -> a phrase that reads well with either name."""
    evaluation = judged([[95, 5], [5, 95]])
    named = replace(evaluation, score=replace(evaluation.score, split=split))
    assert words in verdict.conclude(named).text
