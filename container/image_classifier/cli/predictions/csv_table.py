"""The CSV file of `--csv`: a row for each answer as it arrives, so that an interrupted command loses none.

Until every image was asked about, the rows lie in `FILE.partial`, from which `--resume` continues.
"""

import contextlib
import csv
import fcntl
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from image_classifier import own_files
from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.cli.terminal import consoles
from image_classifier.contract import csv_cells
from image_classifier.contract.errors import DISK_IS_FULL, ExplainedError, PlatformError, UserError

HEADER = ["file", "label", "predicted", "probability"]
PARTIAL = ".partial"
RESUME = "The same command with --resume asks for the others and completes it."


class CsvTable:
    """Rows of answers, and the images that have none yet."""

    def __init__(self, path: Path | None, file: BinaryIO | None, images: Sequence[ImageFile], earlier: int) -> None:
        self.images = images
        """To ask about: those without a row."""
        self.earlier = earlier
        """Rows of the command that is resumed."""
        self.rows = earlier
        self.is_complete = True
        """Whether no image is left to ask about again when the block of `writing` ends."""
        self._path, self._file = path, file

    def add(self, answer: Answer) -> None:
        """Write the row of an answer; nothing without `--csv`.

        Raises:
            UserError: The file cannot be written.
            PlatformError: The disk is full.
        """
        if self._file is None or self._path is None:
            return
        probability, predicted = answer.ranked[0] if answer.ranked else (0.0, "")
        names = map(csv_cells.cell, (str(answer.image.path), answer.image.folder_name or "", predicted))
        try:
            _append(self._file, [*names, f"{probability:.6f}"])
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self.rows += 1


def check(path: Path | None, resume: bool | None = False) -> None:
    """Check, before anything is asked, that a table can be written to a path; `resume` is that of `writing`.

    Raises:
        UserError: The file exists, or its folder does not or cannot be written; an interrupted command has left rows,
            and `resume` does not ask for them; `resume` without a path.
    """
    if path is None:
        if resume:
            raise UserError("--resume continues a file of answers. Name it with --csv FILE.")
        return
    if path.exists() or path.is_symlink():
        raise _exists(path)
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UserError(f"--csv {path}: the folder {folder} does not exist. Make it, or name a file in another one.")
    if reason := own_files.unwritable(path):
        raise UserError(f"--csv {path} cannot be written: {reason}. Name a file in a folder of yours.")
    partial = partial_of(path)
    if partial.is_symlink() or (partial.exists() and not partial.is_file()):
        raise UserError(f"--csv {path}: {partial} is not a file. Move it elsewhere, or name another file.")
    if partial.exists() and not resume:
        raise _interrupted(partial, resume)


def resumed(table: CsvTable) -> str:
    """Return what is said of a command that continues another one; empty if it does not."""
    if not table.earlier:
        return ""
    return (
        f"Resuming: answered before {table.earlier:,}, asked about now {len(table.images):,}. What is printed is of "
        "these alone; the file has all."
    )


def partial_of(path: Path) -> Path:
    """Return the file that has the rows until all are there."""
    return path.with_name(path.name + PARTIAL)


@contextlib.contextmanager
def writing(
    path: Path | None, images: Sequence[ImageFile] = (), resume: bool | None = False, way_on: str = RESUME
) -> Iterator[CsvTable]:
    """Yield the table of a path, for rows; with None one that writes nothing.

    When the block ends, the table gets its name, unless `is_complete` was set to False. Then, and if the block ends
    early, for whatever reason, the rows stay in `partial_of(path)`, and a sentence says how many there are: in the
    error, or on standard error.

    Args:
        path: Where the table shall be; checked with `check`.
        images: Those to ask about; the table leaves out those that have a row already.
        resume: Whether to continue the rows of an interrupted command, if there are any; None: without `--resume`.
        way_on: What to do about the missing rows, as a sentence.

    Raises:
        UserError: The file exists by now, or cannot be written, or the rows are not of this program.
        PlatformError: The disk is full.
    """
    if path is None:
        yield CsvTable(None, None, images, 0)
        return
    with _opened(path, resume) as file:
        rows = _rows_of(file, path)
        table = CsvTable(path, file, _without(images, rows), len(rows))
        try:
            yield table
        except ExplainedError as error:
            if table.rows:
                raise type(error)(f"{error} {_kept(table, path, len(images), way_on)}") from error
            partial_of(path).unlink(missing_ok=True)
            raise
        except BaseException:
            _leave(table, path, len(images), way_on)
            raise
        if table.is_complete:
            _complete(path)
        else:
            _leave(table, path, len(images), way_on)


def _leave(table: CsvTable, path: Path, images: int, way_on: str) -> None:
    if table.rows:
        consoles.print_text(consoles.errors(), _kept(table, path, images, way_on))
    else:
        partial_of(path).unlink(missing_ok=True)


def _kept(table: CsvTable, path: Path, images: int, way_on: str) -> str:
    of_all = f" of {images:,}" if images else ""
    return f"{partial_of(path)} has the answers for {table.rows:,}{of_all} images. {way_on}"


@contextlib.contextmanager
def _opened(path: Path, resume: bool | None) -> Iterator[BinaryIO]:
    """Yield the partial file, locked; its rows are appended without a buffer, whose rest a full disk would keep."""
    partial = partial_of(path)
    try:
        file = partial.open("a+b" if resume else "xb+", buffering=0)
    except FileExistsError as error:
        raise _interrupted(partial, resume) from error
    except OSError as error:
        raise _unwritable(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"Another command is writing {partial}. Wait for it, or name another file.") from error
        yield file


def _rows_of(file: BinaryIO, path: Path) -> list[list[str]]:
    """Return the rows of an interrupted command, less one that it did not finish; write the header of a new file."""
    file.seek(0)
    content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    try:
        # A cell has no line feed: see `csv_cells`.
        rows = list(csv.reader(io.StringIO(whole.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error):
        rows = [[]]
    if rows and (rows[0] != HEADER or any(len(row) != len(HEADER) for row in rows)):
        raise UserError(
            f"--csv {path}: {partial_of(path)} holds no answers of this command. Move it elsewhere, or name another "
            "file."
        )
    try:
        file.truncate(len(whole))
        if not rows:
            _append(file, HEADER)
    except OSError as error:
        raise _unwritable(path, error) from error
    return rows[1:]


def _without(images: Sequence[ImageFile], rows: Sequence[Sequence[str]]) -> list[ImageFile]:
    """Return the images that have no row; one that was named twice has two."""
    answered, found = Counter(row[0] for row in rows), []
    for image in images:
        name = csv_cells.cell(str(image.path))
        if answered[name]:
            answered[name] -= 1
        else:
            found.append(image)
    return found


def _append(file: BinaryIO, cells: Sequence[str]) -> None:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    rest = line.getvalue().encode(errors="backslashreplace")
    while rest:
        rest = rest[file.write(rest) :]


def _complete(path: Path) -> None:
    """Give the rows their name, unless another file has got it meanwhile."""
    partial = partial_of(path)
    try:
        path.open("xb").close()
        partial.replace(path)
    except FileExistsError as error:
        raise UserError(
            f"--csv {path} was made by another program meanwhile. All answers are in {partial}: rename it."
        ) from error
    except OSError as error:
        raise _unwritable(path, error) from error


def _exists(path: Path) -> UserError:
    return UserError(f"--csv {path} exists already. Name a new file.")


def _interrupted(partial: Path, resume: bool | None) -> UserError:
    keep = "" if resume is None else "Add --resume to keep them and to ask about the other images alone. "
    return UserError(
        f"{partial} has the answers of an interrupted command. {keep}Move it elsewhere to start from scratch."
    )


def _unwritable(path: Path, error: OSError) -> ExplainedError:
    if error.errno in DISK_IS_FULL:
        return PlatformError(f"--csv {path} cannot be written: {error.strerror}. Free some space.")
    return UserError(f"--csv {path} cannot be written: {error.strerror}. Name a file elsewhere.")
