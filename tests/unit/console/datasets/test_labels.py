import threading
from pathlib import Path

import pytest

from image_classifier.console.datasets import labels
from image_classifier.console.datasets.labels import Action, ChangedMeanwhileError, Edit
from image_classifier.contract.errors import UserError

MOVE = Edit(Action.MOVE, ("training/a/1.png",), "b")
EXCLUDE = Edit(Action.EXCLUDE, ("training/a/1.png", "training/a/2.png"), reason="duplicate")


def test_edits_are_remembered_by_a_file_alone(tmp_path: Path) -> None:
    """Given a move and an exclusion -> the next reader of the file sees both, the later one where they meet."""
    labels.edit(tmp_path, "flowers", MOVE, 0)
    labels.edit(tmp_path, "flowers", EXCLUDE, 1)
    overlay = labels.read(tmp_path, "flowers")
    assert overlay.revision == 2
    assert overlay.labels == {"training/a/1.png": None, "training/a/2.png": None}
    assert overlay.class_of("training/a/3.png", "a") == "a"


def test_undo_and_redo_follow_the_order_of_edits(tmp_path: Path) -> None:
    """Given two edits -> undo takes back the last one, redo repeats it, and another edit ends the redo."""
    labels.edit(tmp_path, "flowers", MOVE, 0)
    labels.edit(tmp_path, "flowers", EXCLUDE, 1)
    assert labels.undo(tmp_path, "flowers", 2).labels == {"training/a/1.png": "b"}
    assert labels.redo(tmp_path, "flowers", 3).labels["training/a/1.png"] is None
    assert labels.undo(tmp_path, "flowers", 4).redoable == EXCLUDE
    assert labels.edit(tmp_path, "flowers", Edit(Action.RESTORE, MOVE.images), 5).redoable is None
    with pytest.raises(UserError, match="Nothing to redo"):
        labels.redo(tmp_path, "flowers", 6)
    assert len(labels.path(tmp_path, "flowers").read_bytes().splitlines()) == 6


def test_two_tabs_lose_no_edit(tmp_path: Path) -> None:
    """Given 16 threads that each edit on the same revision -> one succeeds, and the others are rejected."""
    outcomes: list[str] = []

    def edit(number: int) -> None:
        try:
            labels.edit(tmp_path, "flowers", Edit(Action.EXCLUDE, (f"training/a/{number}.png",)), 0)
            outcomes.append("saved")
        except ChangedMeanwhileError as error:
            outcomes.append("rejected" if "another tab" in str(error) else str(error))

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["rejected"] * 15 + ["saved"]
    assert labels.read(tmp_path, "flowers").revision == 1


def test_line_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    """Given a file whose last line is unfinished -> it reads as before that edit, and the next one replaces it."""
    labels.edit(tmp_path, "flowers", MOVE, 0)
    with labels.path(tmp_path, "flowers").open("ab") as file:
        file.write(b'{"revision": 2, "action": "excl')
    assert labels.read(tmp_path, "flowers").revision == 1
    assert labels.edit(tmp_path, "flowers", EXCLUDE, 1).revision == 2


def test_foreign_line_is_named(tmp_path: Path) -> None:
    """Given a whole line that is not an edit -> an error that names file and line, instead of other labels."""
    labels.edit(tmp_path, "flowers", MOVE, 0)
    with labels.path(tmp_path, "flowers").open("ab") as file:
        file.write(b'{"action": "burn"}\n')
    with pytest.raises(UserError, match=r"flowers\.jsonl .*line 2"):
        labels.read(tmp_path, "flowers")


@pytest.mark.parametrize("name", ["", "  ", "a/b", "..", ".hidden", "__MACOSX", "a\nb", "a\\b", "ä" * 128, "\udce9"])
def test_class_name_that_no_folder_can_have_is_rejected(name: str, tmp_path: Path) -> None:
    """Given such a name for a class -> the edit is rejected and nothing is written."""
    with pytest.raises(UserError, match="The class name"):
        labels.edit(tmp_path, "flowers", Edit(Action.MOVE, MOVE.images, name), 0)
    assert labels.read(tmp_path, "flowers").revision == 0


def test_class_name_is_composed(tmp_path: Path) -> None:
    """Given a name in decomposed form -> the class has the composed one, as training compares names."""
    overlay = labels.edit(tmp_path, "flowers", Edit(Action.MOVE, MOVE.images, "cafe\u0301"), 0)
    assert overlay.labels[MOVE.images[0]] == "caf\u00e9"
