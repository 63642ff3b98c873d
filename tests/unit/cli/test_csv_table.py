"""The file of --csv: complete under its name, or what there is of it beside it."""

import errno
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from image_classifier.cli.predictions import csv_table
from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.csv_table import CsvTable
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.contract.errors import PlatformError, UserError

IMAGES = [ImageFile(Path("1.jpg"), "a"), ImageFile(Path("2.jpg")), ImageFile(Path("3.jpg"))]


def answer(image: ImageFile, predicted: str = "b", labels: tuple[str, ...] = ("a", "b")) -> Answer:
    """Return an answer that gives the predicted class all probability."""
    return Answer.of(image, {"probabilities": [float(one == predicted) for one in labels], "labels": list(labels)})


def write(path: Path, answers: Sequence[Answer]) -> None:
    """Write a table at once."""
    csv_table.check(path)
    with csv_table.writing(path, [one.image for one in answers]) as table:
        for one in answers:
            table.add(one)


def begin(path: Path, count: int, then: Callable[[CsvTable], object]) -> None:
    """Write some rows, and do something else before the end."""
    with csv_table.writing(path, IMAGES) as table:
        for image in table.images[:count]:
            table.add(answer(image))
        then(table)


def fail(error: BaseException) -> None:
    """Raise an error."""
    raise error


def interrupt(path: Path, count: int = 1) -> str:
    """Let the platform fail after some rows; return the message of the error."""
    with pytest.raises(PlatformError) as failed:
        begin(path, count, lambda _: fail(PlatformError("The endpoint cannot be reached.")))
    return str(failed.value)


def rows(path: Path) -> list[str]:
    """Return the lines of a table."""
    return path.read_text().splitlines()


def test_every_image_has_its_row(tmp_path: Path) -> None:
    """Given two answers -> a CSV file with a row each and no other file; the second time an error, since it exists."""
    path = tmp_path / "answers.csv"
    write(path, [answer(IMAGES[0]), answer(IMAGES[1], "a")])
    assert rows(path) == ["file,label,predicted,probability", "1.jpg,a,b,1.000000", "2.jpg,,a,1.000000"]
    assert [one.name for one in tmp_path.iterdir()] == ["answers.csv"]
    with pytest.raises(UserError, match="exists already"):
        csv_table.check(path)


def test_names_in_the_table_are_never_formulas(tmp_path: Path) -> None:
    """Given a file and classes that a spreadsheet would run -> an apostrophe before each, which undone is the name."""
    write(tmp_path / "answers.csv", [answer(ImageFile(Path("=1+1.jpg"), "@sum"), "-b", ("@sum", "-b"))])
    assert rows(tmp_path / "answers.csv")[1] == "'=1+1.jpg,'@sum,'-b,1.000000"


def test_rows_of_an_interrupted_command_are_kept_and_counted(tmp_path: Path) -> None:
    """A failure after one of three images -> its row beside the name, which stays free, and a way to go on."""
    path = tmp_path / "answers.csv"
    assert interrupt(path) == (
        f"The endpoint cannot be reached. {path}.partial has the answers for 1 of 3 images. The same command with "
        "--resume asks for the others and completes it."
    )
    assert rows(csv_table.partial_of(path))[1:] == ["1.jpg,a,b,1.000000"]
    assert not path.exists()


def test_interrupted_rows_are_not_overwritten(tmp_path: Path) -> None:
    """The same command again, before and after the check -> an error that names --resume, and the rows as they were."""
    path = tmp_path / "answers.csv"
    interrupt(path)
    before = csv_table.partial_of(path).read_bytes()
    with pytest.raises(UserError, match=r"answers\.csv\.partial has the answers of an interrupted.*Add --resume to"):
        csv_table.check(path)
    with pytest.raises(UserError, match="Add --resume to"), csv_table.writing(path, IMAGES):
        pass
    with pytest.raises(UserError, match=r"interrupted command\. Move it elsewhere"):
        csv_table.check(path, resume=None)
    assert csv_table.partial_of(path).read_bytes() == before


def test_resumed_command_asks_for_the_others_alone(tmp_path: Path) -> None:
    """Given --resume -> the images without a row, a note, and in the end one complete file."""
    path = tmp_path / "answers.csv"
    interrupt(path)
    csv_table.check(path, resume=True)
    with csv_table.writing(path, IMAGES, resume=True) as table:
        assert table.images == IMAGES[1:]
        assert csv_table.resumed(table).startswith("Resuming: answered before 1, asked about now 2.")
        for image in table.images:
            table.add(answer(image))
    assert [row.split(",")[0] for row in rows(path)] == ["file", "1.jpg", "2.jpg", "3.jpg"]
    assert [one.name for one in tmp_path.iterdir()] == ["answers.csv"]


def test_resume_without_an_earlier_command_starts_one(tmp_path: Path) -> None:
    """Given --resume the first time -> every image is asked about, without a note; without --csv -> an error."""
    path = tmp_path / "answers.csv"
    csv_table.check(path, resume=True)
    with csv_table.writing(path, IMAGES, resume=True) as table:
        assert (table.images, csv_table.resumed(table)) == (IMAGES, "")
    assert rows(path) == ["file,label,predicted,probability"]
    with pytest.raises(UserError, match=r"--resume continues a file of answers\. Name it with --csv FILE\."):
        csv_table.check(None, resume=True)


def test_half_a_row_of_a_killed_command_is_asked_for_again(tmp_path: Path) -> None:
    """Given a second row without its end -> that image is asked about again, and its row is whole."""
    path = tmp_path / "answers.csv"
    interrupt(path, 2)
    partial = csv_table.partial_of(path)
    partial.write_bytes(partial.read_bytes()[:-5])
    with csv_table.writing(path, IMAGES, resume=True) as table:
        assert table.images == IMAGES[1:]
        table.add(answer(IMAGES[1]))
    assert rows(path)[1:] == ["1.jpg,a,b,1.000000", "2.jpg,,b,1.000000"]


@pytest.mark.parametrize("content", [b"my notes\n", b"\xff\xfe\n", b"file,label,predicted,probability\n1.jpg,a\n"])
def test_file_of_the_user_is_not_taken_for_rows(tmp_path: Path, content: bytes) -> None:
    """Given another file under that name -> an error, and the file as it was."""
    path = tmp_path / "answers.csv"
    csv_table.partial_of(path).write_bytes(content)
    with pytest.raises(UserError, match="holds no answers of this command"), csv_table.writing(path, IMAGES, True):
        pass
    assert csv_table.partial_of(path).read_bytes() == content


def test_second_command_does_not_write_into_the_same_file(tmp_path: Path) -> None:
    """Given a command that writes -> the second one, with --resume, is rejected; the first one completes."""
    path = tmp_path / "answers.csv"
    with csv_table.writing(path, IMAGES) as table:
        with pytest.raises(UserError, match="Another command is writing"), csv_table.writing(path, IMAGES, True):
            pass
        table.add(answer(IMAGES[0]))
    assert len(rows(path)) == 2


def test_file_that_was_made_meanwhile_is_kept(tmp_path: Path) -> None:
    """Given a file that another program makes while images are asked about -> both are kept, and it is said."""
    path = tmp_path / "answers.csv"
    with pytest.raises(UserError, match="All answers are in"):
        begin(path, 1, lambda _: path.write_text("mine"))
    assert path.read_text() == "mine"
    assert len(rows(csv_table.partial_of(path))) == 2


def test_without_an_answer_nothing_is_left(tmp_path: Path) -> None:
    """A failure before the first answer -> the error alone, and no file."""
    assert interrupt(tmp_path / "answers.csv", 0) == "The endpoint cannot be reached."
    assert list(tmp_path.iterdir()) == []


def test_interrupt_says_what_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given Ctrl-C -> it passes on, and standard error says where the rows are."""
    path = tmp_path / "answers.csv"
    with pytest.raises(KeyboardInterrupt):
        begin(path, 1, lambda _: fail(KeyboardInterrupt()))
    assert f"{path}.partial has the answers for 1 of 3 images." in capsys.readouterr().err


def test_full_disk_is_of_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a disk that is full at the second row -> an error of the platform; the first row can be resumed."""
    path = tmp_path / "answers.csv"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def add_on_a_full_disk(table: CsvTable) -> None:
        monkeypatch.setattr(csv_table, "_append", full)
        table.add(answer(IMAGES[1]))

    with pytest.raises(PlatformError, match=r"No space left on device\. Free some space\. .* answers for 1 of 3"):
        begin(path, 1, add_on_a_full_disk)
    monkeypatch.undo()
    with csv_table.writing(path, IMAGES, resume=True) as table:
        assert table.images == IMAGES[1:]
