"""A local job in a folder of an earlier one: only files of a job are removed or replaced."""

from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier import own_files
from image_classifier.contract.errors import UserError
from image_classifier.runners import job_state, job_tree
from image_classifier.runners.job_tree import LocalJob
from tests.unit.cli.job_folders import content, finish


def test_killed_job_leaves_no_obstacle(job: LocalJob) -> None:
    """Given the partial files of a killed job -> accepted and removed as files of a job."""
    tree = job_tree.build_tree(job)
    for name in ("model/.saved_model.partial/variables/v.data", "model/.openvino.partial/model.xml"):
        (tree.base / name).parent.mkdir(parents=True)
        (tree.base / name).write_text("half")
    for name in ("model/.unfinished", "model/__model_info__.json.partial", "output/data/metrics.json.partial"):
        (tree.base / name).write_text("half")
    job_tree.build_tree(job)
    job_tree.empty(tree.base)
    assert not tree.model_dir.exists()


def test_finished_job_takes_the_place_of_an_earlier_one(job: LocalJob, tmp_path: Path) -> None:
    """Given an earlier job beside a note of the user -> the new model, log and state; the note is kept."""
    old, new = job_tree.build_tree(job), job_tree.build_tree(replace(job, output=tmp_path / "out.partial"))
    finish(old)
    finish(new)
    (old.base / "notes.txt").write_text("mine")
    (new.model_dir / "labels_info.json").write_text("new")
    (new.base / job_tree.LOG).write_text("new")
    job_tree.replace_job(new.base, old.base)
    assert (old.model_dir / "labels_info.json").read_text() == (old.base / job_tree.LOG).read_text() == "new"
    assert (old.base / "notes.txt").read_text() == "mine"
    assert not new.base.exists()
    assert own_files.is_marked(old.base, job_tree.WRITER)


def test_file_of_the_user_keeps_both_jobs(job: LocalJob, tmp_path: Path) -> None:
    """Given a file of the user in the earlier job's model folder -> rejected, both jobs unchanged."""
    old, new = job_tree.build_tree(job), job_tree.build_tree(replace(job, output=tmp_path / "out.partial"))
    finish(old)
    finish(new)
    (old.model_dir / "mine.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"holds files that no job writes: model/mine\.txt"):
        job_tree.replace_job(new.base, old.base)
    assert sorted(tmp_path.rglob("*")) == before


def test_finished_job_is_named_before_it_is_replaced(tmp_path: Path) -> None:
    """Given a finished, a stopped and no job -> rejected with date and accuracy; resumed there; beside on request."""
    (tmp_path / "out").mkdir()
    assert job_state.work_folder(tmp_path / "out", overwrite=True) == tmp_path / "out"
    job_state.record(tmp_path / "out", job_state.STOPPED, 0.5)
    assert job_state.work_folder(tmp_path / "out", overwrite=False) == tmp_path / "out"
    job_state.record(tmp_path / "out", job_state.FINISHED, 0.85351)
    with pytest.raises(UserError, match=r"finished at 20\d\d-.* with validation accuracy 0.8535.*--overwrite"):
        job_state.work_folder(tmp_path / "out", overwrite=False)
    assert job_state.work_folder(tmp_path / "out", overwrite=True) == tmp_path / "out.partial"


@pytest.mark.parametrize(
    "name",
    [
        *("checkpoints/mine.txt", "checkpoints/checkpoint-best/manifest.json", "checkpoints/features/mine.npz"),
        *("checkpoints/checkpoint-000001-step-3/mine.txt", "checkpoints/checkpoint-000001-step-3/mine/state.json"),
        *("model/mine.txt", "input/data/mine.txt", "model/mine.npz", "output/data/mine.html"),
        *("output/tensorboard/mine/events.out.tfevents.1", "output/tensorboard/train/mine.txt"),
    ],
)
def test_file_of_the_user_keeps_a_job_whole(job: LocalJob, tmp_path: Path, name: str) -> None:
    """Given a file of the user in a job to be emptied or replaced -> rejected before anything is moved."""
    old, new = job_tree.build_tree(job), job_tree.build_tree(replace(job, output=tmp_path / "out.partial"))
    finish(old)
    finish(new)
    (old.base / name).parent.mkdir(parents=True, exist_ok=True)
    (old.base / name).write_text("mine")
    before = content(tmp_path)
    with pytest.raises(UserError, match="holds files that no job writes"):
        job_tree.replace_job(new.base, old.base)
    with pytest.raises(UserError, match="holds files that no job writes"):
        job_tree.empty(old.base)
    assert content(tmp_path) == before


def test_log_that_is_a_link_is_replaced(job: LocalJob, tmp_path: Path) -> None:
    """Given a link to the user's file in place of a job's log -> the next job does not write there."""
    tree = job_tree.build_tree(job)
    (tmp_path / "mine.txt").write_text("mine")
    (tree.base / job_tree.LOG).symlink_to(tmp_path / "mine.txt")
    job_tree.build_tree(job)
    (tree.base / job_tree.LOG).write_text("log")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_new_job_works_where_it_can_be_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a link to an earlier job -> beside its target; given a mount point -> rejected before training."""
    (tmp_path / "volume" / "out").mkdir(parents=True)
    job_state.record(tmp_path / "volume" / "out", job_state.FINISHED, 0.5)
    (tmp_path / "link").symlink_to(tmp_path / "volume" / "out")
    expected = tmp_path.resolve() / "volume" / "out.partial"
    assert job_state.work_folder(tmp_path / "link", overwrite=True) == expected
    monkeypatch.setattr(Path, "is_mount", lambda _: True)
    with pytest.raises(UserError, match="is a mount point"):
        job_state.work_folder(tmp_path / "link", overwrite=True)
