"""The folder of a local job: laid out like /opt/ml, without ever removing a file of the user."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from image_classifier import PROGRAM, own_files
from image_classifier.contract.errors import UserError
from image_classifier.runners import job_tree
from image_classifier.runners.job_tree import LocalJob
from tests.unit.cli.job_folders import content, finish


def test_tree_is_laid_out_as_the_platform_does(tmp_path: Path) -> None:
    """Given folders, an archive and hyperparameters -> channels, configuration and output folders where a job looks."""
    for name in ("images", "more"):
        (tmp_path / name / "cat").mkdir(parents=True)
    archive = tmp_path / "lite0.tar.gz"
    archive.write_bytes(b"archive")
    job = LocalJob(
        tmp_path / "images", archive, tmp_path / "out", validation=tmp_path / "more", hyperparameters={"epochs": "1"}
    )
    tree = job_tree.build_tree(job)
    assert (tree.channel_dir("training") / "cat").is_dir()
    assert (tree.channel_dir("validation") / "cat").is_dir()
    assert not tree.channel_dir("test").exists()
    assert (tree.channel_dir("model") / "model.tar.gz").read_bytes() == b"archive"
    assert tree.read_hyperparameters() == {"epochs": "1"}
    assert tree.read_resources().hosts == ("algo-1",)
    assert tree.model_dir.is_dir()


def test_second_job_in_the_same_place_keeps_the_model_until_it_has_its_own(job: LocalJob) -> None:
    """Given a stopped job's folder -> its failure and settings are gone; its model, checkpoints and images are not."""
    tree = job_tree.build_tree(job)
    finish(tree)
    (tree.checkpoints_dir / "features").mkdir(parents=True)
    model = sorted(tree.model_dir.rglob("*"))
    job_tree.build_tree(job)
    assert sorted(tree.model_dir.rglob("*")) == model
    assert not tree.failure_file.exists()
    assert (job.training / "cat" / "1.jpg").read_bytes() == b"cat"
    assert (tree.checkpoints_dir / "features").is_dir()
    assert json.loads(tree.hyperparameters_file.read_text()) == {}


def test_missing_folder_or_model_is_said(tmp_path: Path) -> None:
    """Given a training folder or a model that does not exist -> one sentence with the option's name."""
    with pytest.raises(UserError, match=r"--training is .*absent, which is not a folder"):
        job_tree.build_tree(LocalJob(tmp_path / "absent", tmp_path, tmp_path / "out"))
    with pytest.raises(UserError, match=r"--model is .*absent, which does not exist"):
        job_tree.build_tree(LocalJob(tmp_path, tmp_path / "absent", tmp_path / "out"))


@pytest.mark.parametrize("name", ["notes.txt", "input", "model/1/saved_model.pb", "output/submission.csv"])
def test_folder_without_the_marker_is_left_alone(job: LocalJob, name: str) -> None:
    """Given a folder of the user, even one laid out like a job -> rejected with its files, unchanged."""
    (job.output / name).parent.mkdir(parents=True)
    (job.output / name).write_text("mine")
    with pytest.raises(UserError, match=rf"is not empty \({name.split('/')[0]}\) and has no marker"):
        job_tree.build_tree(job)
    assert content(job.output) == {name: b"mine"}


@pytest.mark.parametrize(
    "name",
    [
        *("model/notes.txt", "model/1/keras_metadata.pb", "model/2/saved_model.pb", "model/openvino/other.xml"),
        *("output/submission.csv", "output/data/figures/loss.png", "input/data/extra/1.jpg"),
        *("input/data/training/1.jpg", "input/config/notes.json"),
    ],
)
def test_what_no_job_writes_is_kept_in_a_marked_folder(job: LocalJob, name: str) -> None:
    """Given a file of the user in an earlier job's folder -> rejected with its name, everything unchanged."""
    tree = job_tree.build_tree(job)
    finish(tree)
    if name.startswith("input/data/training"):
        # A real folder in the place of the link.
        tree.channel_dir("training").unlink()
    (tree.base / name).parent.mkdir(parents=True, exist_ok=True)
    (tree.base / name).write_text("mine")
    before = content(tree.base)
    with pytest.raises(UserError, match=rf"holds files that no job writes: .*{name.split('/')[1]}"):
        job_tree.build_tree(job)
    assert content(tree.base) == before


@pytest.mark.parametrize("name", ["model", "output/data", "input/data", "model/1", "output/data/metrics.json"])
def test_link_in_a_marked_folder_is_not_followed(job: LocalJob, tmp_path: Path, name: str) -> None:
    """Given a link to the user's files in place of a job's -> rejected, and its target is kept."""
    tree = job_tree.build_tree(job)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "metrics.json").write_text("mine")
    target = tree.base / name
    if target.is_dir():
        for path in sorted(target.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        target.rmdir()
    target.symlink_to(elsewhere / "metrics.json" if name.endswith("json") else elsewhere)
    with pytest.raises(UserError, match="holds files that no job writes"):
        job_tree.build_tree(job)
    assert (elsewhere / "metrics.json").read_text() == "mine"
    assert target.is_symlink()


@pytest.mark.parametrize(
    "marker",
    [
        *("", "{}", '{"format": 2, "written_by": "scripts/train-locally"}', '{"format": 1, "written_by": "other"}'),
        *("not JSON", "[]"),
    ],
)
def test_marker_of_another_kind_does_not_count(job: LocalJob, marker: str) -> None:
    """Given a marker that is empty, broken, of another format or of another command -> ignored."""
    (job.output / "model").mkdir(parents=True)
    (job.output / own_files.MARKER).write_text(marker)
    with pytest.raises(UserError, match="has no marker"):
        job_tree.build_tree(job)
    assert (job.output / "model").is_dir()


def test_marker_that_is_a_link_does_not_count(job: LocalJob, tmp_path: Path) -> None:
    """Given a link to another folder's marker -> ignored."""
    (tmp_path / "other").mkdir()
    own_files.mark(tmp_path / "other", job_tree.WRITER)
    (job.output / "model").mkdir(parents=True)
    (job.output / own_files.MARKER).symlink_to(tmp_path / "other" / own_files.MARKER)
    with pytest.raises(UserError, match="has no marker"):
        job_tree.build_tree(job)


PLACES: dict[str, Callable[[Path], tuple[Path, Path]]] = {
    "the same folder": lambda folder: (folder / "images", folder / "images"),
    "images in the output": lambda folder: (folder / "images" / "cat", folder / "images"),
    "output in the images": lambda folder: (folder / "images", folder / "images" / "out"),
    "output deep in the images": lambda folder: (folder / "images", folder / "images" / "a" / "b"),
    "images by a link": lambda folder: (link(folder / "images", folder / "l"), folder / "images" / "out"),
    "output by a link": lambda folder: (folder / "images", link(folder / "images", folder / "l") / "out"),
    "output by dots": lambda folder: (folder / "images", folder / "backbone" / ".." / "images" / "out"),
}


def link(target: Path, path: Path) -> Path:
    """Create a link and return it."""
    path.symlink_to(target)
    return path


@pytest.mark.parametrize("channel", ["training", "validation", "test", "model"])
@pytest.mark.parametrize("place", PLACES)
def test_channel_and_output_may_not_lie_in_each_other(tmp_path: Path, job: LocalJob, channel: str, place: str) -> None:
    """Given a channel or model inside or around the output, also by links -> rejected by option, nothing changed."""
    (tmp_path / "other").mkdir()
    given, output = PLACES[place](tmp_path)
    paths: dict[str, Any] = {"training": tmp_path / "other", "model": tmp_path / "other", channel: given}
    before = content(tmp_path)
    with pytest.raises(UserError, match=rf"--output .* and --{channel} .* overlap"):
        job_tree.build_tree(LocalJob(output=output, **paths))
    assert content(tmp_path) == before


def test_result_is_not_trained_further_over_itself(job: LocalJob) -> None:
    """Given a local job's model as --model and its folder as --output -> rejected, and the model is kept."""
    tree = job_tree.build_tree(job)
    finish(tree)
    before = content(tree.base)
    with pytest.raises(UserError, match="overlap"):
        job_tree.build_tree(LocalJob(job.training, tree.model_dir, job.output))
    assert content(tree.base) == before


def test_archive_in_the_output_is_kept(job: LocalJob) -> None:
    """Given an archive in the output as --model -> rejected, and the archive is kept."""
    tree = job_tree.build_tree(job)
    archive = tree.base / "lite0.tar.gz"
    archive.write_bytes(b"archive")
    with pytest.raises(UserError, match=r"--model .*lite0\.tar\.gz overlap"):
        job_tree.build_tree(LocalJob(job.training, archive, job.output))
    assert archive.read_bytes() == b"archive"


def test_places_that_are_no_output(job: LocalJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a file, the root, the home folder, a folder in a file, a working folder with files -> one sentence each."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "file").write_text("mine")
    monkeypatch.chdir(job.training)
    expected = {
        tmp_path / "file": "is a file",
        Path("/"): "is the root folder",
        home: "is your home folder",
        tmp_path / "file" / "out": "is not a folder",
        Path(): "overlap",
        Path(".."): "overlap",
    }
    for output, message in expected.items():
        with pytest.raises(UserError, match=message):
            job_tree.build_tree(LocalJob(job.training, job.model, output))
    assert (tmp_path / "file").read_text() == "mine"
    assert list(home.iterdir()) == []


def test_output_that_cannot_be_written_is_said(job: LocalJob) -> None:
    """Given a folder that is not writable -> one sentence with the uid, before anything is created."""
    job.output.mkdir()
    job.output.chmod(0o555)
    program = (
        "import sys; from pathlib import Path; from image_classifier.runners import job_tree as tree;"
        "tree.build_tree(tree.LocalJob(*map(Path, sys.argv[1:])))"
    )
    # Modes hold for root, too, when it has given this capability up.
    drop = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.getuid() == 0 else []
    command = [*drop, sys.executable, "-c", program, str(job.training), str(job.model), str(job.output / "new")]
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    expected = f"cannot be written to: uid {os.getuid()} may not write to {job.output}. Give a folder of yours"
    assert expected in done.stderr.splitlines()[-1]
    assert list(job.output.iterdir()) == []


def test_empty_folder_and_checkpoints_are_no_obstacle(job: LocalJob) -> None:
    """Given a new folder, an empty one, and one with only checkpoints -> used, and the checkpoints stay."""
    (job.output / "checkpoints").mkdir(parents=True)
    (job.output / "checkpoints" / "kept").write_text("kept")
    tree = job_tree.build_tree(job)
    assert (tree.checkpoints_dir / "kept").read_text() == "kept"
    assert own_files.is_marked(tree.base, job_tree.WRITER)
