"""Traits that a child process reads: the same as in the job, which survives whatever becomes of it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from image_classifier.class_folders.listing import Example, Listing
from image_classifier.evaluation import traits
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.export import early_traits
from image_classifier.training.stopping import StopSignal
from tests.support.waiting import wait_until


def nothing() -> None:
    """Check nothing."""


@pytest.fixture
def data(tmp_path: Path) -> DataSplits:
    """Three images of noise for training, and one of them for validation too."""
    draws, paths = np.random.default_rng(0), [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        Image.fromarray(draws.integers(0, 256, (40, 50, 3), np.uint8)).save(path)
    training = Listing(tmp_path, ("a",), tuple(Example(path, 0) for path in paths))
    return DataSplits(training, Listing(tmp_path, ("a",), training.examples[:1]), None)


def child_of(reader: early_traits.TraitReader) -> Any:
    """Return the child's process."""
    return cast(Any, reader)._child._process


def test_child_reads_what_the_job_would_read(data: DataSplits, tmp_path: Path) -> None:
    """Given images of two splits -> their traits by path, each once, from a process of low priority."""
    with early_traits.reading(data, tmp_path / "work") as reader:
        assert reader
        process, lowered = child_of(reader).pid, min(os.nice(0) + early_traits.NICE, 19)
        # A process keeps its priority after its exit until the job asks for its exit code.
        wait_until(lambda: os.getpriority(os.PRIO_PROCESS, process) == lowered, 60, "the child lowers its priority")
        found = reader.wait(StopSignal(), nothing)
    paths = [example.path for example in data.training.examples]
    assert found == dict(zip(paths, traits.read(paths), strict=True))
    assert all(found.values())


@pytest.mark.parametrize("harm", [lambda process: os.kill(process.pid, signal.SIGKILL), lambda process: process.wait()])
def test_traits_are_read_again_after_a_failure(
    data: DataSplits, tmp_path: Path, harm: Callable[[Any], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a child that is killed, or a result that is gone -> one line in the log, and the job reads the traits."""
    with early_traits.reading(data, tmp_path / "work") as reader:
        assert reader
        harm(child_of(reader))
        child_of(reader).wait()
        (tmp_path / "work" / "traits.npz").unlink(missing_ok=True)
        known = reader.wait(StopSignal(), nothing)
    assert known == {}
    assert capsys.readouterr().out.startswith("The report reads the traits of the images again: ")
    paths = [example.path for example in data.training.examples]
    assert early_traits.of_splits({"training": paths}, known, nothing) == {"training": traits.read(paths)}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"neither"])
def test_result_that_is_corrupt_is_read_again(
    data: DataSplits, tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a file that is empty, cut off or something else -> one line in the log, and no traits."""
    with early_traits.reading(data, tmp_path / "work") as reader:
        assert reader
        assert child_of(reader).wait() == 0
        (tmp_path / "work" / "traits.npz").write_bytes(content)
        assert reader.wait(StopSignal(), nothing) == {}
    assert capsys.readouterr().out.startswith("The report reads the traits of the images again: ")


def test_known_traits_are_not_read_again(data: DataSplits) -> None:
    """Given the traits of some images, of which the files are gone -> those, and None for the others."""
    first, second, _ = paths = [example.path for example in data.training.examples]
    known = dict(zip(paths, traits.read(paths), strict=True))
    for path in paths:
        path.unlink()
    found = early_traits.of_splits({"training": [second, first]}, {second: known[second]}, nothing)
    assert found == {"training": [known[second], None]}


def test_job_that_fails_does_not_wait_for_its_child(data: DataSplits, tmp_path: Path) -> None:
    """Given an error in the block -> the child has ended when it is raised."""
    processes = []

    def job() -> None:
        with early_traits.reading(data, tmp_path / "work") as reader:
            assert reader
            processes.append(child_of(reader))
            raise KeyError

    with pytest.raises(KeyError):
        job()
    assert processes[0].returncode is not None


def test_job_runs_without_a_child(
    data: DataSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a machine without memory for another process -> a line in the log, and no reader."""

    def fail(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(early_traits, "Child", fail)
    with early_traits.reading(data, tmp_path / "work") as reader:
        assert reader is None
    assert "reads the traits of the images at the end" in capsys.readouterr().out
