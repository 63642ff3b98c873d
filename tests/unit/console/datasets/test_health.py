import io
from pathlib import Path

import pytest
from PIL import Image

from image_classifier.console import tasks
from image_classifier.console.datasets import (
    contents,
    findings,
    health,
    health_process,
    known,
    labels,
    selections,
)
from image_classifier.console.datasets.finding import Finding, Severity
from image_classifier.console.datasets.health import Facts
from image_classifier.console.datasets.known import DataSet
from image_classifier.console.datasets.labels import Action, Edit
from image_classifier.console.tasks import State
from tests.support.data_folders import image_bytes, write_classes
from tests.support.waiting import wait_until


def facts_of(data_set: DataSet, scratch: Path) -> Facts:
    """Check a data set in this process."""
    return health_process.check(data_set, contents.read(data_set, fresh=True), "", tasks.Reporter(scratch))


def judged(home: Path, data_set: DataSet, facts: Facts) -> dict[str, Finding]:
    """Return the findings by their names."""
    found, overlay = contents.read(data_set), labels.read(home, data_set.key)
    return {one.id: one for one in findings.judge(facts, found, overlay, selections.count(found, overlay))}


@pytest.fixture
def flawed(tmp_path: Path) -> DataSet:
    """One flaw of each kind: leak, contradiction, duplicates, odd sizes, a blank image, a class of few."""
    training = write_classes(tmp_path / "train", {"a": 24, "b": 24, "few": 2})
    test = write_classes(tmp_path / "test", {"a": 3, "b": 3})
    (test / "a" / "leak.png").write_bytes((training / "a" / "000.png").read_bytes())
    (training / "b" / "contradiction.png").write_bytes((training / "a" / "001.png").read_bytes())
    (training / "a" / "exact.png").write_bytes((training / "a" / "002.png").read_bytes())
    near = Image.open(io.BytesIO((training / "a" / "003.png").read_bytes())).resize((128, 96))
    near.save(training / "a" / "near.jpg", quality=95)
    (training / "a" / "tiny.png").write_bytes(image_bytes("tiny", (20, 20)))
    (training / "a" / "long.png").write_bytes(image_bytes("long", (800, 100)))
    Image.new("RGB", (64, 64), "navy").save(training / "a" / "blank.png")
    (training / "a" / "notes.txt").write_text("not an image")
    return known.add(tmp_path / "home", "flawed", {"training": training, "test": test})


def test_each_flaw_is_found_once_with_its_images(flawed: DataSet, tmp_path: Path) -> None:
    """Given one flaw of each kind -> one finding of each, with exactly its images, the worst first."""
    found = judged(tmp_path / "home", flawed, facts_of(flawed, tmp_path))
    assert found["leaks"].images == ("training/a/000.png", "test/a/leak.png")
    assert found["leaks"].excluded == ("training/a/000.png",)
    assert found["contradictions"].images == ("training/a/001.png", "training/b/contradiction.png")
    assert found["duplicates"].excluded == ("training/a/exact.png",)
    assert found["near-duplicates"].images == ("training/a/003.png", "training/a/near.jpg")
    assert found["tiny"].images == ("training/a/tiny.png",)
    assert found["oblong"].images == ("training/a/long.png",)
    assert found["blank"].images == ("training/a/blank.png",)
    assert "few (2)" in found["few"].sentence
    assert any(".txt" in line for line in found["unused"].lines)
    severities = [list(Severity).index(one.severity) for one in found.values()]
    assert severities == sorted(severities)


def test_findings_follow_the_labels_without_a_new_check(flawed: DataSet, tmp_path: Path) -> None:
    """Given a contradiction that was moved and a leak that was excluded -> both are gone without a check."""
    facts, home = facts_of(flawed, tmp_path), tmp_path / "home"
    labels.edit(home, flawed.key, Edit(Action.MOVE, ("training/b/contradiction.png",), "a"), 0)
    labels.edit(home, flawed.key, Edit(Action.EXCLUDE, ("training/a/000.png",)), 1)
    found = judged(home, flawed, facts)
    assert "contradictions" not in found
    assert "leaks" not in found
    assert "training/b/contradiction.png" in found["duplicates"].images


def test_clean_data_have_no_finding(tmp_path: Path) -> None:
    """Given distinct images of two classes -> nothing is found."""
    data_set = known.add(tmp_path / "home", "x", {"training": write_classes(tmp_path / "x", {"a": 12, "b": 12})})
    assert judged(tmp_path / "home", data_set, facts_of(data_set, tmp_path)) == {}


def test_rules_of_training_are_those_of_the_job(tmp_path: Path) -> None:
    """Given one class alone -> the finding quotes what the job would say."""
    data_set = known.add(tmp_path / "home", "x", {"training": write_classes(tmp_path / "x", {"a": 12})})
    found = judged(tmp_path / "home", data_set, facts_of(data_set, tmp_path))
    assert "a classifier needs two" in found["rules"].lines[0]


def test_check_runs_in_a_process_and_is_kept_until_the_files_change(tmp_path: Path) -> None:
    """Given a data set -> its check ends with facts that are read again, and a new file makes them outdated."""
    home, photos = tmp_path / "home", write_classes(tmp_path / "x", {"a": 3, "b": 3})
    data_set = known.add(home, "x", {"training": photos})
    health.start_if_changed(home, data_set, contents.read(data_set))
    wait_until(lambda: health.status(home, data_set) != tasks.Status(State.RUNNING), 60, "the check runs")
    wait_until(lambda: state_of(home, data_set) is not State.RUNNING, 60, "the check has ended")
    assert state_of(home, data_set) is State.FINISHED
    facts = health.facts(home, data_set)
    assert facts is not None
    assert facts.images == 6
    (photos / "a" / "new.png").write_bytes(image_bytes("new"))
    assert contents.read(data_set, fresh=True).digest != facts.digest


def state_of(home: Path, data_set: DataSet) -> State:
    """Return what the check is doing."""
    found = health.status(home, data_set)
    assert found is not None
    return found.state
