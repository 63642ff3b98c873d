"""What the job leaves beside its model, for people and their tools."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from image_classifier.class_folders.listing import Example, Listing
from image_classifier.training.data.decoding import Skipped
from image_classifier.training.export import report


def rows(path: Path) -> list[list[str]]:
    """Read a table."""
    with path.open(newline="") as file:
        return list(csv.reader(file))


def listing(names: tuple[str, ...], *examples: tuple[str, int]) -> Listing:
    """Return a channel with images of classes."""
    return Listing(Path("/data"), names, tuple(Example(Path("/data") / name, label) for name, label in examples))


def test_history_has_a_row_an_epoch(tmp_path: Path) -> None:
    """Two epochs -> a head of the metrics' names and two numbered rows."""
    report.write_history(tmp_path / "new", [{"loss": 0.5, "val_accuracy": 0.25}, {"loss": 0.1, "val_accuracy": 1.0}])
    found = rows(tmp_path / "new" / "history.csv")
    assert found == [["epoch", "loss", "val_accuracy"], ["1", "0.5", "0.25"], ["2", "0.1", "1.0"]]


def test_predictions_name_the_best_class(tmp_path: Path) -> None:
    """Three probabilities of two images, a name with a comma -> file, label, answer and its probability."""
    channel = listing(("a", "b, c", "d"), ("a/1.jpg", 0), ("b, c/2.jpg", 1))
    report.write_predictions(tmp_path, channel, np.array([[0.2, 0.5, 0.3], [0.1, 0.8, 0.1]], np.float32))
    assert rows(tmp_path / "predictions.csv")[1:] == [
        ["a/1.jpg", "a", "b, c", "0.500000"],
        ["b, c/2.jpg", "b, c", "b, c", "0.800000"],
    ]


def test_predictions_of_the_sigmoid_form(tmp_path: Path) -> None:
    """One probability an image, that of the second class -> the answer's own probability, for either class."""
    channel = listing(("no", "yes"), ("no/1.jpg", 0), ("yes/2.jpg", 1))
    report.write_predictions(tmp_path, channel, np.array([[0.25], [0.75]], np.float32))
    found = [row[1:] for row in rows(tmp_path / "predictions.csv")[1:]]
    assert found == [["no", "no", "0.750000"], ["yes", "yes", "0.750000"]]


def test_skipped_images_are_listed_with_their_reasons(tmp_path: Path) -> None:
    """One unreadable image -> its path and why; none -> the head alone."""
    report.write_skipped(tmp_path / "one", [Skipped(Path("/data/a/1.jpg"), "It ends, too early.")])
    report.write_skipped(tmp_path / "none", [])
    assert rows(tmp_path / "one" / "skipped.csv")[1:] == [["/data/a/1.jpg", "It ends, too early."]]
    assert rows(tmp_path / "none" / "skipped.csv") == [["file", "reason"]]


def test_metrics_are_written_in_full(tmp_path: Path) -> None:
    """A number with sixteen digits -> read back equal."""
    report.write_metrics(tmp_path / "new", {"val_loss": 0.1234567890123456, "verification": {"engine": "openvino"}})
    found = json.loads((tmp_path / "new" / "metrics.json").read_text())
    assert found == {"val_loss": 0.1234567890123456, "verification": {"engine": "openvino"}}


def test_link_among_the_reports_is_replaced(tmp_path: Path) -> None:
    """A report that is a link to the user's file -> the report is written in its place, and the file is as it was."""
    (tmp_path / "mine.csv").write_text("mine")
    for name in ("skipped.csv", "metrics.json"):
        (tmp_path / name).symlink_to(tmp_path / "mine.csv")
    report.write_skipped(tmp_path, [])
    report.write_metrics(tmp_path, {"epochs": 1})
    assert (tmp_path / "mine.csv").read_text() == "mine"
    assert (tmp_path / "skipped.csv").read_text() == "file,reason\n"
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"epochs": 1}


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1.jpg", "'=1+1.jpg"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2.jpg", "'-2.jpg"),
        ("@sum.jpg", "'@sum.jpg"),
        ("\t=1.jpg", "\\x09=1.jpg"),
        ("\r=1.jpg", "\\x0d=1.jpg"),
        ("\uff1d1.jpg", "'\uff1d1.jpg"),
        ("'s.jpg", "''s.jpg"),
        ("a=b.jpg", "a=b.jpg"),
        ("caf\udce9.jpg", "caf\\xe9.jpg"),
        ("two\nlines.jpg", "two\\x0alines.jpg"),
    ],
)
def test_names_are_never_formulas(tmp_path: Path, name: str, cell: str) -> None:
    """Names that a spreadsheet would run or UTF-8 cannot hold -> marked (one apostrophe too many) or escaped."""
    channel = Listing(Path("/data"), (name, "b"), (Example(Path("/data") / name, 0),))
    report.write_predictions(tmp_path, channel, np.array([[0.9, 0.1]], np.float32))
    report.write_skipped(tmp_path, [Skipped(Path(name), name)])
    assert rows(tmp_path / "predictions.csv")[1] == [cell, cell, cell, "0.900000"]
    assert rows(tmp_path / "skipped.csv")[1] == [cell, cell]
    if cell.startswith("'"):
        assert cell.removeprefix("'") == name


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    """A negative metric -> the number alone, without a mark."""
    report.write_history(tmp_path, [{"loss": -0.5}])
    assert rows(tmp_path / "history.csv")[1] == ["1", "-0.5"]
