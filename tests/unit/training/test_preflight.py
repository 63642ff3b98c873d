"""What is checked before the first image is decoded: everything in one message."""

import inspect
import os
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier import PROGRAM
from image_classifier.contract.errors import JobError, PlatformError, UserError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training import channel_listing, data, permissions, preflight
from tests import unprivileged
from tests.unit.training import small

JPEG, PNG = b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"
NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def put(folder: Path, *names: str, content: bytes = b"") -> None:
    """Make files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture
def opt_ml(tmp_path: Path) -> OptMl:
    """A tree whose training channel has two classes of four files."""
    tree = OptMl(tmp_path / "ml")
    put(tree.channel_dir("training"), *(f"{name}/{index}.jpg" for name in ("blue", "red") for index in range(4)))
    return tree


@pytest.fixture
def training(opt_ml: OptMl) -> Path:
    """The training channel."""
    return opt_ml.channel_dir("training")


@pytest.fixture
def modes_count() -> Iterator[None]:
    """Let file modes apply to this process, even when it is root's."""
    with unprivileged.modes_count():
        yield


def refused(opt_ml: OptMl, **given: object) -> str:
    """Return the message with which the job ends."""
    with pytest.raises(JobError) as raised:
        preflight.check(opt_ml, small.settings(**given))
    return f"{type(raised.value).__name__}: {raised.value}"


def log(opt_ml: OptMl, capsys: pytest.CaptureFixture[str], **given: object) -> list[str]:
    """Return the log's lines of a job that may begin."""
    data.read(opt_ml, small.settings(**given))
    return capsys.readouterr().out.splitlines()


def test_every_problem_is_in_one_message(opt_ml: OptMl, training: Path) -> None:
    """An empty class, a Latin-1 name, a backslash, a model folder that is a file, unknown classes -> all, at once."""
    put(training, "empty/notes.txt", "caf\udce9/1.jpg", "red\\9.jpg")
    put(opt_ml.base, "model")
    put(opt_ml.channel_dir("validation"), "green/1.jpg")
    said = refused(opt_ml)
    assert said.startswith("PlatformError: 5 problems were found before training:\n- ")
    for words in ("/model cannot", "caf\\xe9", "red\\9.jpg", "empty holds 1 file(s) ending in .txt", "lacks: green"):
        assert words in said
    assert len(said) < 1024 + 300


def test_preflight_needs_no_tensorflow(tmp_path: Path) -> None:
    """A fresh process that checks a tree -> TensorFlow is not among its modules."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom image_classifier.contract.hyperparameters import parse\n"
        "from image_classifier.contract.opt_ml import OptMl\nfrom image_classifier.training import preflight\n"
        f"try:\n    preflight.check(OptMl(Path({str(tmp_path)!r})), parse({{}}).values)\nexcept Exception as error:\n"
        "    print(type(error).__name__, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(PROGRAM)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "UserError False"


# Channels


@pytest.mark.parametrize(
    ("name", "ours"),
    [("train", "training"), ("Training", "training"), ("TRAIN", "training"), ("images", "training")],
)
def test_missing_channel_is_explained_by_those_given(opt_ml: OptMl, training: Path, name: str, ours: str) -> None:
    """The images under another channel's name -> the channels given, the names that count, and what to rename."""
    training.rename(opt_ml.channel_dir(name))
    said = refused(opt_ml)
    assert f"the channels given are {name}." in said
    assert "names of channels that count are training, validation, test, model." in said
    assert f"Rename {name} to {ours}." in said


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        *(("val", "validation"), ("valid", "validation"), ("eval", "validation"), ("Validation", "validation")),
        *(("Test", "test"), ("testing", "test"), ("train", None), ("photos", None)),
    ],
)
def test_unread_channel_is_one_loud_line(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str], name: str, ours: str | None
) -> None:
    """A channel beside training that nothing reads -> one WARNING, with the right name where that is free."""
    put(opt_ml.channel_dir(name), "blue/1.jpg", "red/1.jpg")
    lines = [line for line in log(opt_ml, capsys) if name in line.split() and "NOT READ" in line]
    assert len(lines) == 1
    assert (f"Rename {name} to {ours}." in lines[0]) is (ours is not None)


def test_channels_that_are_read_are_said(opt_ml: OptMl, capsys: pytest.CaptureFixture[str]) -> None:
    """Training, test and the SDK's channel for scripts -> what is read in one line, and no warning."""
    put(opt_ml.channel_dir("test"), "blue/1.jpg")
    put(opt_ml.channel_dir("code"), "train.py")
    lines = log(opt_ml, capsys)
    assert "Channels read: test, training." in lines
    assert not any("WARNING" in line for line in lines)


def test_pipe_mode_is_named(opt_ml: OptMl, training: Path) -> None:
    """A pipe where the channel's folder should be -> Pipe mode is said, with the modes that work."""
    training.rename(training.with_name("elsewhere"))
    os.mkfifo(training.with_name("training_0"))
    assert "in Pipe mode (training_0" in refused(opt_ml)


# Parts of a split


@pytest.mark.parametrize("parts", [("train", "val", "test"), ("flowers", "flowers-test"), ("Train", "Valid")])
def test_parts_of_a_split_are_rejected(opt_ml: OptMl, tmp_path: Path, parts: tuple[str, ...]) -> None:
    """Whole data sets as class folders -> rejected by name, with the channels that they should be."""
    whole = opt_ml.channel_dir("training").rename(tmp_path / "whole")
    for part in parts:
        put(opt_ml.channel_dir("training"), *(f"{part}/{path.relative_to(whole)}" for path in whole.rglob("*.jpg")))
    said = refused(opt_ml)
    assert f"The folders {', '.join(sorted(parts))} in the training channel (with the sub-folders blue, red)" in said
    assert "training, validation, test" in said


def test_class_weights_that_name_the_parts_make_them_classes(opt_ml: OptMl, training: Path) -> None:
    """Two classes called like parts of a split -> rejected, and used when class_weights names both."""
    (training / "blue").rename(training / "test")
    (training / "red").rename(training / "train")
    assert "look like parts of a split" in refused(opt_ml)
    assert "look like parts of a split" in refused(opt_ml, class_weights='{"test": 1}')
    assert preflight.check(opt_ml, small.settings(class_weights='{"test": 1, "train": 1}'))


def test_test_and_control_are_classes(opt_ml: OptMl, training: Path) -> None:
    """A binary problem of `test` and `control` with sub-folders of the same names -> used as it is."""
    put(training.parent / "new", *(f"{name}/day-{day}/1.jpg" for name in ("test", "control") for day in (1, 2)))
    training.rename(training.with_name("old"))
    (training.parent / "new").rename(training)
    found = preflight.check(opt_ml, small.settings(binary_mode=True))
    assert found["training"].listing.class_names == ("control", "test")


def test_split_below_the_classes_is_a_warning(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Classes with train/ and test/ below -> all images are used, and one WARNING says so."""
    put(training, "blue/train/1.jpg", "blue/test/1.jpg")
    assert any("WARNING" in line and "classes blue have sub-folders" in line for line in log(opt_ml, capsys))


# Names


@pytest.mark.parametrize(
    ("name", "shown"),
    [("caf\udce9", "caf\\xe9"), ("\udcff\udcfe", "\\xff\\xfe"), ("a\nb", "a\\x0ab"), ("a\x1b[1m", "\\x1b")],
)
@pytest.mark.parametrize("empty", [False, True], ids=["with images", "empty"])
def test_class_name_that_is_not_text_is_rejected(
    opt_ml: OptMl, training: Path, name: str, shown: str, empty: bool
) -> None:
    """A class folder named in other bytes or with control characters -> rejected with the name shown, printable."""
    put(training, f"{name}/{'.keep' if empty else '1.jpg'}")
    said = refused(opt_ml)
    assert shown in said
    assert said.encode()


def test_both_unicode_forms_are_one_class(opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`café` composed and decomposed in one channel, decomposed in validation -> one class in NFC, and one line."""
    put(training, f"{NFC}/1.jpg", f"{NFC}/2.jpg", f"{NFD}/3.jpg")
    put(opt_ml.channel_dir("validation"), f"{NFD}/1.jpg")
    put(opt_ml.channel_dir("test"), f"{NFC}/1.jpg")
    found = data.read(opt_ml, small.settings())
    assert found.training.class_names == ("blue", NFC, "red")
    assert found.training.counts()[NFC] == 3
    assert found.validation.counts()[NFC] == 1
    assert found.test is not None
    assert found.test.class_names == found.validation.class_names == found.training.class_names
    assert sum("U+0301" in line and "U+00E9" in line for line in capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("name", ["red\\01.jpg", "data\\red\\01.jpg", "red%5C01.jpg"])
@pytest.mark.parametrize("alone", [True, False])
def test_backslashes_are_named_as_the_cause(opt_ml: OptMl, training: Path, name: str, alone: bool) -> None:
    """Keys written with backslashes, alone or beside class folders -> the sentence names the cause and the remedy."""
    if alone:
        training.rename(training.with_name("old"))
    put(training, name)
    said = refused(opt_ml)
    assert f"1 name(s) with a backslash, such as {name}" in said
    assert "has no class folders" not in said


def test_class_folder_with_a_backslash_is_rejected(opt_ml: OptMl, training: Path) -> None:
    """A class folder whose name holds a backslash -> rejected as well."""
    put(training, "train\\red/1.jpg")
    assert "backslash, such as train\\red" in refused(opt_ml)


# What lies in the folders


@pytest.mark.parametrize("name", ["@eaDir", "__MACOSX", "lost+found", "$RECYCLE.BIN", ".ipynb_checkpoints", "#recycle"])
def test_folders_of_systems_are_ignored_at_any_depth(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A system's folder beside the classes, in one and deeper -> neither class nor images, and one line."""
    put(training, f"{name}/1.jpg", f"blue/{name}/1.jpg/thumb.jpg", f"blue/deep/{name}/1.jpg", "blue/._0.jpg")
    lines = log(opt_ml, capsys)
    ignored = [line for line in lines if line.startswith("Ignored in the training channel")]
    assert ignored == [f"Ignored in the training channel, hidden or a system's own: {name} 3, ._* 1."]
    assert preflight.check(opt_ml, small.settings())["training"].listing.counts() == {"blue": 4, "red": 4}


@pytest.mark.parametrize(
    "name", ["1.jfif", "1.jpe", "1.HEIC", "1", "1.jpg?w=800", "1.jpg:large", "1.download", "a.b/1", "caf\udce9.tmp"]
)
@pytest.mark.parametrize("content", [JPEG, PNG], ids=["JPEG", "PNG"])
def test_images_are_told_by_their_first_bytes(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    """A JPEG or PNG under another ending or none -> listed, and counted in one line."""
    put(training, f"blue/x-{name}" if "/" not in name else f"blue/{name}", content=content)
    lines = log(opt_ml, capsys)
    assert preflight.check(opt_ml, small.settings())["training"].listing.counts()["blue"] == 5
    assert sum(line.startswith("Used 1 image(s) recognised by their first bytes") for line in lines) == 1


def test_other_endings_take_at_most_ten_lines(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files of thirty endings, images among them -> ten lines, whose counts add up."""
    put(training, *(f"blue/{number}.e{number}" for number in range(30)), *(f"blue/n.jpg?{n}" for n in range(40)))
    put(training, "red/1.jfif", content=JPEG)
    lines = [line for line in log(opt_ml, capsys) if line.startswith(("Ignored", "Used"))]
    assert len(lines) == 10
    assert sum(int(line.split()[1]) for line in lines) == 71
    assert "Ignored 40 file(s) ending in .jpg…" in lines[1]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("1.heic", b"\0\0\0\x18ftypheic", "a HEIC image: convert it to JPEG or PNG"),
        ("1.tif", b"II*\0", "a TIFF or camera raw image: convert"),
        ("1.avif", b"\0\0\0\x1cftypavif", "an AVIF image: convert"),
        ("1.psd", b"8BPS", "a Photoshop document: convert"),
        ("more.zip", b"PK\3\4", "a zip archive: unpack"),
        ("1.tfrecord", b"\0", "a TFRecord file: export"),
    ],
)
def test_class_without_an_image_says_what_it_holds(
    opt_ml: OptMl, training: Path, name: str, content: bytes, words: str
) -> None:
    """A class with files of another kind alone -> their ending, what they are, and the remedy."""
    put(training, f"green/{name}", content=content)
    said = refused(opt_ml)
    assert f"green holds 1 file(s) ending in {Path(name).suffix}, {words}" in said


@pytest.mark.parametrize(
    "name", ["pictures.zip", "a.tar", "a.tar.gz", "a.tgz", "a.7z", "a.rar", "a.tfrecord", "a.parquet", "a.csv", "a.lst"]
)
def test_archive_in_a_channel_is_named(
    opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """An archive, records or a table beside class folders, then alone -> one WARNING, then a rejection, by name."""
    put(training, name)
    assert sum("WARNING: Not used" in line and f"{name} (a" in line for line in log(opt_ml, capsys)) == 1
    training.rename(training.with_name("old"))
    put(training, name)
    said = refused(opt_ml)
    assert f"has no class folders in {training}. It holds {name} (a" in said


def test_loose_images_are_named(opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Images beside class folders, then alone -> counted with one of them by name."""
    put(training, "loose-1.jpg", "loose-2.png")
    lines = log(opt_ml, capsys)
    assert sum("2 image(s) outside class folders, such as loose-1.jpg" in line for line in lines) == 1
    training.rename(training.with_name("old"))
    put(training, "loose.jpg")
    assert "It holds image(s) outside class folders, such as loose.jpg" in refused(opt_ml)


def test_single_wrapping_folder_is_explained(opt_ml: OptMl, training: Path) -> None:
    """Everything in one more folder -> one class, and the folders in it are named."""
    training.rename(training.with_name("old"))
    put(training, "flowers/rose/1.jpg", "flowers/tulip/1.jpg")
    assert "has one class, flowers; a classifier needs two. It holds the folders rose, tulip." in refused(opt_ml)


# Links


def test_linked_folders_are_followed_once(opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Links to a folder of another class, twice, to a folder above, to each other -> each image once per class."""
    put(training, "red/more/5.jpg", "red/more/6.jpg")
    (training / "blue/extra").symlink_to("../red/more")
    (training / "blue/again").symlink_to("../red/more")
    (training / "blue/up").symlink_to(".")
    (training / "blue/all").symlink_to("..")
    (training / "red/more/loop").symlink_to("../more")
    lines = log(opt_ml, capsys)
    listing = preflight.check(opt_ml, small.settings())["training"].listing
    assert listing.counts() == {"blue": 6, "red": 6}
    assert sum("5 link(s) to folders that were read already" in line for line in lines) == 1


def test_links_that_lead_nowhere_are_counted(opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link without a target, one to itself, a pipe -> left out, each counted and named."""
    (training / "blue/gone.jpg").symlink_to("nowhere.jpg")
    (training / "self").symlink_to("self")
    os.mkfifo(training / "red/pipe.jpg")
    lines = log(opt_ml, capsys)
    assert sum("2 link(s) without a target" in line and "gone.jpg" in line for line in lines) == 1
    assert sum("1 pipe(s), socket(s) or device(s)" in line for line in lines) == 1


def test_deep_nesting_is_walked(training: Path) -> None:
    """Folders nested more deeply than Python recurses -> the image at the end counts."""
    folder = training / "blue"
    for _ in range(300):
        folder /= "d"
        folder.mkdir()
    put(folder, "1.jpg")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    try:
        found = channel_listing.scan(training, "training")
    finally:
        sys.setrecursionlimit(limit)
    assert found.listing.counts()["blue"] == 5


def test_order_is_that_of_the_paths_parts(training: Path) -> None:
    """Files and folders of similar names, one through a link -> the order of the parts, as on several hosts."""
    put(training, "blue/a/1.jpg", "blue/a b.jpg", "blue/a.jpg", "red/x/9.jpg")
    (training / "blue/a-link").symlink_to("../red/x")
    listing = channel_listing.list_channel(training, "training")
    blue = [listing.name(one).split("/") for one in listing.examples if one.label == 0]
    assert blue == sorted(blue)
    assert len(blue) == 8


# Folders and files that may not be used


@pytest.mark.parametrize("part", ["model", "output", "output/data", "checkpoints"])
def test_unwritable_folder_is_the_platforms(opt_ml: OptMl, modes_count: None, part: str) -> None:
    """A folder that the job writes to, read-only -> PlatformError with path and uid."""
    folder = opt_ml.base / part
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    assert (
        f"PlatformError: The folder {folder} cannot be written to (Permission denied) by uid {os.geteuid()}"
        in refused(opt_ml)
    )


@pytest.mark.parametrize("part", ["model", "output", "output/data", "checkpoints"])
def test_file_where_a_folder_should_be_is_the_platforms(opt_ml: OptMl, part: str) -> None:
    """A file in place of a folder that the job writes to -> PlatformError with its path, whoever runs the job."""
    put(opt_ml.base, part)
    said = refused(opt_ml)
    assert said.startswith("PlatformError: ")
    assert f"{opt_ml.base / part} cannot be written to (Not a directory) by uid {os.geteuid()}" in said


def test_folders_that_do_not_exist_yet_are_not_made(opt_ml: OptMl) -> None:
    """A tree without model and output folders -> the check passes and leaves the tree as it was."""
    preflight.check(opt_ml, small.settings())
    assert {path.name for path in opt_ml.base.iterdir()} == {"input"}


def test_scratch_folder_that_does_not_exist(opt_ml: OptMl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TMPDIR names a folder that is missing -> PlatformError with its path, no silent use of another one."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    assert f"The folder for scratch files {tmp_path / 'gone'}, which TMPDIR names, does not exist" in refused(opt_ml)


def test_scratch_folder_that_is_read_only(
    opt_ml: OptMl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, modes_count: None
) -> None:
    """TMPDIR names a read-only folder -> PlatformError with its path."""
    (tmp_path / "scratch").mkdir(mode=0o555)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    assert f"The folder {tmp_path / 'scratch'} cannot be written to" in refused(opt_ml)


def test_machine_without_any_scratch_folder(opt_ml: OptMl, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder that Python would take for scratch files -> PlatformError, not a trace."""
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: (_ for _ in ()).throw(FileNotFoundError(2, "No usable folder")))
    assert permissions.unusable_scratch() is not None
    assert "Set TMPDIR" in str(permissions.unusable_scratch())


def test_unreadable_class_folder_and_files_are_the_platforms(opt_ml: OptMl, training: Path, modes_count: None) -> None:
    """A class folder and two files without permission -> both named in one PlatformError, before any is decoded."""
    (training / "red").chmod(0)
    for number in (1, 3):
        (training / f"blue/{number}.jpg").chmod(0)
    said = refused(opt_ml)
    (training / "red").chmod(0o755)
    assert said.startswith("PlatformError: 2 problems")
    assert f"{training / 'red'} (Permission denied) cannot be read by uid {os.geteuid()}" in said
    assert f"2 files ({training / 'blue/1.jpg'}, {training / 'blue/3.jpg'}) cannot be read by uid" in said


def test_files_are_not_asked_where_modes_mean_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Root with its capabilities -> no file is asked for its permission, which on a network would be a trip each."""
    monkeypatch.setattr(permissions, "reads_whatever_modes_say", lambda: True)
    monkeypatch.setattr(os, "access", lambda *_, **__: pytest.fail("asked"))
    assert permissions.unreadable_files([tmp_path / "1.jpg"]) == []


def test_only_unknown_endings_are_opened(opt_ml: OptMl, training: Path) -> None:
    """Files of known endings among one of another -> only that one is read."""
    put(training, "blue/other.xyz", content=JPEG)
    paths = [*training.rglob("*.jpg"), training / "blue/other.xyz"]
    for path in paths:
        path.write_bytes(JPEG)
        os.utime(path, ns=(1, path.stat().st_mtime_ns))
    preflight.check(opt_ml, small.settings())
    assert [path.name for path in paths if path.stat().st_atime_ns != 1] == ["other.xyz"]


def test_binary_mode_with_three_classes_is_among_the_problems(opt_ml: OptMl, training: Path) -> None:
    """Three classes, one of them empty, in binary mode -> both problems."""
    put(training, "green/notes.txt")
    said = refused(opt_ml, binary_mode=True)
    assert said.startswith("UserError: 2 problems")
    assert "binary_mode=True needs two classes; the training channel has 3" in said


def test_owner_is_the_platform_when_one_problem_is_its_own(opt_ml: OptMl, training: Path) -> None:
    """A user's problem alone -> UserError; with a platform's beside it -> PlatformError that names both."""
    put(training, "green/notes.txt")
    with pytest.raises(UserError):
        preflight.check(opt_ml, small.settings())
    put(opt_ml.base, "model")
    with pytest.raises(PlatformError, match=r"2 problems(.|\n)*green"):
        preflight.check(opt_ml, small.settings())
