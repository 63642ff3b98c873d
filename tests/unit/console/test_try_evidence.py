"""The evidence of a job in a child process: samples, scores and how often they were right, similar training images."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from image_classifier.console.trying import evidence_process
from image_classifier.console.trying.evidence import Evidence
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.evaluation.evidence import Split
from tests.support.try_jobs import CLASS_NAMES, finished_job, write_evidence


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folder of a finished job."""
    return finished_job(tmp_path).jobs / "colours"


@pytest.fixture
def evidence() -> Iterator[Evidence]:
    """Child processes, which are ended."""
    found = Evidence()
    yield found
    found.close()


def test_samples_are_held_out_images_of_all_classes(job: Path, evidence: Evidence) -> None:
    """Given 24 held-out images of three classes -> twelve, four of each, whose files are found."""
    samples = evidence.ask(job, "describe")["samples"]
    assert [one["label"] for one in samples] == [name for name in CLASS_NAMES for _ in range(4)]
    paths = [Path(evidence.ask(job, "place", split=one["split"], row=one["row"])) for one in samples]
    assert all(path.is_file() and path.is_relative_to(job / "input" / "data" / "validation") for path in paths)
    assert evidence.thumbnail(job, paths[0])[8:12] == b"WEBP"


def test_nearest_training_images_come_first(job: Path, evidence: Evidence) -> None:
    """Given the features of a training image -> that image first, similarity 1, then others in order."""
    known = evidence_process.load(job)
    assert known.features is not None
    found = evidence.ask(job, "neighbours", embedding=known.features[10].tolist())
    assert (found[0]["row"], found[0]["split"], found[0]["label"]) == (10, "training", "green")
    similarity = [one["similarity"] for one in found]
    assert similarity[0] == pytest.approx(1, abs=1e-6)
    assert similarity == sorted(similarity, reverse=True)
    assert len(found) == evidence_process.NEIGHBOURS
    with pytest.raises(UserError, match="returns other features than the job's"):
        evidence.ask(job, "neighbours", embedding=[1.0])


def test_reliability_counts_right_answers_by_score() -> None:
    """Given four held-out images -> each band has its images, its right ones, and an interval around their share."""
    probabilities = np.array([[0.995, 0.005], [0.95, 0.05], [0.08, 0.92], [0.55, 0.45]], np.float32)
    split = Split("validation", Path(), ("a", "b", "c", "d"), np.array([0, 0, 0, 1]), probabilities)
    bands = {one["from"]: one for one in evidence_process.reliability(split)}
    assert {low: (one["images"], one["right"]) for low, one in bands.items()} == {
        0.0: (0, 0),
        0.5: (1, 0),
        0.7: (0, 0),
        0.9: (2, 1),
        0.99: (1, 1),
    }
    assert bands[0.9]["low"] < 0.5 < bands[0.9]["high"]


def test_missing_evidence_is_a_sentence(tmp_path: Path, evidence: Evidence) -> None:
    """Given a job without evidence, a tuned one, and a row that it does not have -> what is missing, in words."""
    without = finished_job(tmp_path / "one", with_evidence=False).jobs / "colours"
    with pytest.raises(UserError, match=r"left no evidence\.npz"):
        evidence.ask(without, "describe")
    tuned = finished_job(tmp_path / "two").jobs / "colours"
    splits = evidence_process.load(tuned).evidence.splits
    write_evidence(tuned, splits, features_are_served=False)
    assert "tuned the whole network" in evidence.ask(tuned, "describe")["without_neighbours"]
    with pytest.raises(UserError, match="no image 99 of validation"):
        evidence.ask(tuned, "place", split="validation", row=99)


def test_a_moved_job_finds_its_images(tmp_path: Path, evidence: Evidence) -> None:
    """Given a job folder that was renamed -> the images in it are found there."""
    job = finished_job(tmp_path).jobs / "colours"
    moved = job.rename(job.with_name("moved"))
    assert Path(evidence.ask(moved, "place", split="validation", row=0)).is_file()


def test_at_most_two_processes_and_a_killed_one_is_replaced(tmp_path: Path, evidence: Evidence) -> None:
    """Given three jobs -> two processes; one that is killed answers again, in a new process."""
    jobs = [finished_job(tmp_path / name).jobs / "colours" for name in ("a", "b", "c")]
    for job in jobs:
        evidence.ask(job, "describe")
    children = evidence.process_ids()
    assert len(children) == 2
    for child in children:
        os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert json.dumps(evidence.ask(jobs[2], "describe"))
            break
        except PlatformError:
            continue
    else:
        pytest.fail("it never answered again")
    assert set(evidence.process_ids()).isdisjoint(children)
