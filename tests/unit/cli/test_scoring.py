"""Accuracy, recall and confusions of answers to labelled images."""

import io
from pathlib import Path

from rich.console import Console

from image_classifier.cli.predictions import answers, scoring
from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.cli.predictions.scoring import Answered, Score

SCORE = Score(tuple(Answered(*pair.split()) for pair in ("a a", "a a", "a b", "b b", "c a")))


def text(score: Score) -> str:
    """Return the printed tables."""
    console = Console(file=io.StringIO(), width=100)
    for table in scoring.tables(score):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def answer(name: str, label: str | None, predicted: str, labels: tuple[str, ...] = ("a", "b")) -> Answer:
    """Return an answer that gives the predicted class all probability."""
    raw = {"probabilities": [float(one == predicted) for one in labels], "labels": list(labels)}
    return Answer.of(ImageFile(Path(name), label), raw)


def test_accuracy_is_shown_beside_the_largest_class() -> None:
    """Given 3 of 5 right and a class of 3 -> both shares in one line."""
    assert scoring.headline(SCORE) == "Accuracy 0.6000 (3 of 5 images; always answering a: 0.6000)"


def test_weakest_class_comes_first() -> None:
    """Given recalls of 2/3, 1 and 0 -> sorted from the weakest."""
    assert SCORE.recalls() == [("c", 0, 1), ("a", 2, 3), ("b", 1, 1)]


def test_few_classes_have_a_matrix_and_many_a_list() -> None:
    """Given 3 classes -> a row and a column each; given 12 -> the confusions alone, the most frequent first."""
    assert "class \\ answer" in text(SCORE)
    many = Score((*(Answered(f"k{number}", "k0") for number in range(12)), Answered("k5", "k0")))
    assert "class \\ answer" not in text(many)
    assert many.confusions()[0] == ("k5", "k0", 2)
    assert "answered as" in text(many)


def test_no_confusions_no_table_of_them() -> None:
    """Given right answers alone -> only the table of recalls."""
    assert len(scoring.tables(Score((Answered("a", "a"),)))) == 1


def test_folders_that_are_no_class_do_not_count() -> None:
    """Given images of a class folder, of another folder, and one named itself -> the first alone is scored."""
    found = answers.score([answer("1", "a", "b"), answer("2", "holiday", "a"), answer("3", None, "a")])
    assert found == Score((Answered("a", "b"),))
    assert answers.score([answer("2", "holiday", "a")]) is None


def test_folders_that_are_no_class_are_named() -> None:
    """Given folders of other names beside a class, alone, and a single one -> named, named, nothing."""
    mixed = [answer("1", "a", "b"), answer("2", "holiday", "a"), answer("3", "B", "b")]
    note = "2 images in folders that are not classes of the model: B, holiday. Its classes: a, b."
    assert answers.uncounted(mixed) == f"Not counted: {note}"
    assert answers.uncounted(mixed[1:]) == f"No accuracy: {note}"
    assert answers.uncounted([answer("2", "holiday", "a")]) is None
    assert answers.uncounted([answer("1", "a", "b"), answer("2", "b", "b")]) is None


def test_wrong_answers_are_those_of_class_folders() -> None:
    """Given answers: wrong, right, in a folder that is not a class, and without a folder -> the first alone."""
    given = [answer("1", "a", "b"), answer("2", "a", "a"), answer("3", "holiday", "a"), answer("4", None, "a")]
    assert [one.is_wrong for one in given] == [True, False, False, False]
