"""Checkpoints: intact, corrupt in every way, of another job, and on a full disk."""

import errno
import resource
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError
from image_classifier.training.checkpoints import files
from image_classifier.training.checkpoints.store import Checkpoint, Checkpoints

JOB: Mapping[str, Any] = {"hyperparameters": {"batch_size": 8, "optimizer": "adam"}, "classes": ["cat", "dog"]}


def groups(step: int, size: int = 12) -> dict[str, dict[str, NDArray[Any]]]:
    """Return arrays that differ from those of every other step."""
    drawn = np.random.default_rng(step)
    return {
        "network": {"conv/kernel:0": drawn.random((3, size), np.float32), "file": np.array(step)},
        "optimizer": {"momentum": drawn.random((size, 2)).astype(np.float16)},
    }


def save(folder: Path, *steps: int) -> Checkpoints:
    """Save a checkpoint at each of some steps."""
    checkpoints = Checkpoints(folder, JOB)
    for step in steps:
        checkpoints.save(step, {"epoch": step // 10, "best": -np.inf}, groups(step))
    return checkpoints


def folders(folder: Path) -> list[Path]:
    """List the checkpoints, the newest last."""
    return sorted(path for path in folder.iterdir() if path.name.startswith("checkpoint-"))


def assert_is_of_step(found: Checkpoint | None, step: int) -> None:
    """Compare everything in a checkpoint with what was saved at that step."""
    assert found is not None
    assert (found.step, found.state) == (step, {"epoch": step // 10, "best": -np.inf})
    expected = groups(step)
    assert {group: set(arrays) for group, arrays in found.groups.items()} == {
        group: set(arrays) for group, arrays in expected.items()
    }
    for group, arrays in expected.items():
        for name, array in arrays.items():
            assert found.groups[group][name].dtype == array.dtype
            np.testing.assert_array_equal(found.groups[group][name], array)


def test_latest_returns_the_newest_as_it_was_saved(tmp_path: Path) -> None:
    """Three checkpoints, read by another object -> the third, with its names, types, values and infinite best."""
    save(tmp_path, 7, 11, 19)
    assert_is_of_step(Checkpoints(tmp_path, JOB).latest(), 19)


@pytest.mark.parametrize(
    "array",
    [
        np.array(3.5, np.float32),
        np.array([], np.float32),
        np.zeros((0, 4), np.int64),
        np.array([True, False]),
        np.arange(12, dtype=np.float64).reshape(3, 4).T,
        np.array([np.nan, -0.0, np.inf], np.float16),
        np.arange(6, dtype=">i4")[::2],
    ],
    ids=["scalar", "empty", "no rows", "bool", "transposed", "not finite", "strided big-endian"],
)
def test_arrays_of_any_plain_kind_keep_their_bits(tmp_path: Path, array: NDArray[Any]) -> None:
    """An odd array, also in a group beside an empty one -> the same type, shape and bits."""
    checkpoints = Checkpoints(tmp_path, JOB)
    checkpoints.save(1, {}, {"network": {"odd": array}, "nothing": {}})
    found = checkpoints.latest()
    assert found is not None
    back = found.groups["network"]["odd"]
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert found.groups["nothing"] == {}


def test_latest_is_none_without_checkpoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder, and one that does not exist -> None, and no log line."""
    assert Checkpoints(tmp_path, JOB).latest() is None
    assert Checkpoints(tmp_path / "absent", JOB).latest() is None
    assert capsys.readouterr().out == ""


def test_two_are_kept(tmp_path: Path) -> None:
    """Five checkpoints, the last two of the same step -> the last two folders, nothing temporary."""
    save(tmp_path, 1, 2, 3, 4, 4)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "checkpoint-000004-step-4",
        "checkpoint-000005-step-4",
    ]


def cut(path: Path) -> None:
    """Lose the last byte of a file."""
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    """Flip a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def lengthen(path: Path) -> None:
    """Append a byte to a file."""
    path.write_bytes(path.read_bytes() + b"0")


def empty(path: Path) -> None:
    """Leave a file without its content, as a crash of the machine may."""
    path.write_bytes(b"")


def make_folder(path: Path) -> None:
    """Put a folder where a file was."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [Path.unlink, cut, flip, lengthen, empty, make_folder])
@pytest.mark.parametrize("name", ["manifest.json", "state.json", "network.npz", "optimizer.npz"])
def test_corrupt_checkpoint_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object], name: str
) -> None:
    """Each file of the newest corrupt in each way -> the previous one, and one line that names checkpoint and file."""
    save(tmp_path, 3, 5)
    damage(folders(tmp_path)[-1] / name)
    assert_is_of_step(Checkpoints(tmp_path, JOB).latest(), 3)
    [line] = capsys.readouterr().out.splitlines()
    # The bit in the middle of the manifest belongs to the checksum of a file.
    reported = "network.npz" if (name, damage) == ("manifest.json", flip) else name
    assert line.startswith(f"Skipping corrupt checkpoint checkpoint-000002-step-5: {reported} ")


def test_every_flipped_bit_of_the_manifest_is_detected(tmp_path: Path) -> None:
    """Each single bit of the manifest flipped -> corrupt, each time."""
    Checkpoints(tmp_path, JOB).save(5, {}, {"network": {"a": np.arange(2, dtype=np.uint8)}})
    [folder] = folders(tmp_path)
    content = (folder / "manifest.json").read_bytes()
    undetected = []
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        (folder / "manifest.json").write_bytes(flipped)
        try:
            files.read(folder)
            undetected.append(bit)
        except files.Corrupt:
            continue
    assert undetected == []


def test_without_an_intact_checkpoint_training_starts_from_scratch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both corrupt -> None, a line for each, and one about starting from scratch."""
    save(tmp_path, 3, 5)
    for folder in folders(tmp_path):
        flip(folder / "network.npz")
    assert Checkpoints(tmp_path, JOB).latest() is None
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[-1].endswith("starting from scratch.")


def test_a_corrupt_checkpoint_does_not_count_among_those_kept(tmp_path: Path) -> None:
    """The newest corrupt, then saved again -> the corrupt one is removed, the intact one before it is kept."""
    save(tmp_path, 3, 5)
    flip(folders(tmp_path)[-1] / "network.npz")
    resumed = Checkpoints(tmp_path, JOB)
    resumed.latest()
    resumed.save(5, {"epoch": 0, "best": -np.inf}, groups(5))
    assert [path.name for path in folders(tmp_path)] == ["checkpoint-000001-step-3", "checkpoint-000003-step-5"]
    assert_is_of_step(Checkpoints(tmp_path, JOB).latest(), 5)


def test_a_renamed_checkpoint_is_corrupt(tmp_path: Path) -> None:
    """A checkpoint under the name of another step -> the previous one."""
    save(tmp_path, 3, 5)
    folders(tmp_path)[-1].rename(tmp_path / "checkpoint-000009-step-6")
    assert_is_of_step(Checkpoints(tmp_path, JOB).latest(), 3)


def test_partial_checkpoints_are_removed_and_unrelated_files_kept(tmp_path: Path) -> None:
    """A partial checkpoint that S3 brought back, and unrelated files -> the first is removed, the others are kept."""
    save(tmp_path, 3)
    partial = tmp_path / ".checkpoint-000002-step-5.partial"
    shutil.copytree(folders(tmp_path)[0], partial)
    others = [tmp_path / "notes.txt", tmp_path / "checkpoint-final" / "weights.h5", folders(tmp_path)[0] / "x.npz"]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_text("not ours")
    resumed = Checkpoints(tmp_path, JOB)
    assert not partial.exists()
    assert_is_of_step(resumed.latest(), 3)
    resumed.save(5, {"epoch": 0, "best": -np.inf}, groups(5))
    assert [path.read_text() for path in others] == ["not ours"] * 3


def test_another_jobs_checkpoint_is_rejected(tmp_path: Path) -> None:
    """Three values of the job differ -> an error with both values of each and what to do; nothing is removed."""
    save(tmp_path, 3)
    other = {"hyperparameters": {"batch_size": 16, "epochs": 3, "optimizer": "adam"}, "classes": ["cat", "cow"]}
    with pytest.raises(UserError) as rejected:
        Checkpoints(tmp_path, other).latest()
    message = str(rejected.value)
    assert "hyperparameters.batch_size was 8 and is now 16" in message
    assert "hyperparameters.epochs was null and is now 3" in message
    assert 'classes was ["cat", "dog"] and is now ["cat", "cow"]' in message
    assert "optimizer" not in message
    assert "Use an empty S3 prefix" in message
    assert len(folders(tmp_path)) == 1


def test_many_differences_fit_the_platforms_limit(tmp_path: Path) -> None:
    """Forty long values differ -> five of them, shortened, and the number of the others, in 1,024 characters."""
    Checkpoints(tmp_path, {f"name-{n}": "a" * 500 for n in range(40)}).save(1, {}, {})
    with pytest.raises(UserError, match=r"; and 35 more\. Use") as rejected:
        Checkpoints(tmp_path, {f"name-{n}": "b" * 500 for n in range(40)}).latest()
    assert len(str(rejected.value)) < 1024 + len(str(tmp_path))


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Let the kernel reject writes beyond a size, as a full disk does; the error is EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_older_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    """A write fails half-way -> OSError with the file name, the older checkpoint intact; a later write works."""
    checkpoints = save(tmp_path, 3)
    large = groups(5, size=50_000)
    with files_limited_to(100_000), pytest.raises(OSError, match="network") as rejected:
        checkpoints.save(5, {}, large)
    assert rejected.value.errno == errno.EFBIG
    assert str(rejected.value.filename).endswith("network.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000001-step-3"]
    assert_is_of_step(Checkpoints(tmp_path, JOB).latest(), 3)
    checkpoints.save(5, {}, large)
    assert len(folders(tmp_path)) == 2


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("Network", np.zeros(1), "Invalid name 'Network'"),
        ("network", np.array([{}], object), "is of type object"),
        ("network", np.zeros(1, "V2"), "expected bool, integer or float"),
    ],
)
def test_unreadable_names_and_types_are_rejected(tmp_path: Path, name: str, array: NDArray[Any], message: str) -> None:
    """A name of a group or a type of array that cannot be read back -> ValueError, and no leftovers."""
    with pytest.raises(ValueError, match=message):
        Checkpoints(tmp_path, JOB).save(1, {}, {name: {"array": array}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["checkpoint-000001-step-1", ".checkpoint-000001-step-1.partial"])
@pytest.mark.parametrize("what", ["notes.txt", "state.json/deep.txt", "link"])
def test_users_folder_with_a_checkpoints_name_is_kept(tmp_path: Path, name: str, what: str) -> None:
    """A folder with the name of a checkpoint that holds other files, or is a link -> never removed."""
    mine = tmp_path / "mine" if what == "link" else tmp_path / "checkpoints" / name
    file = mine / ("state.json" if what == "link" else what)
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    folder = tmp_path / "checkpoints"
    folder.mkdir(exist_ok=True)
    if what == "link":
        (folder / name).symlink_to(mine)
    for step in (3, 5, 7):
        save(folder, step)
    assert (folder / name / file.relative_to(mine)).read_text() == "mine"
