"""An evaluation as a file: opened again it shows the same report, and a file that does not fit is rejected."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError
from image_classifier.evaluation import archive, judgement
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.report import page
from tests.support import evaluations

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Every section, with features of all splits."""
    found = evaluations.complete(tmp_path_factory.mktemp("images"), 3, images=120)
    evidence, noise = found.evidence, np.random.default_rng(0)
    judged, training = (
        replace(split, features=noise.random((len(split), 8), np.float32))
        for split in (evidence.judged, evidence.others[0])
    )
    left_out = {judgement.LEARNING_CURVE: "it needs the features of training images"}
    return replace(
        found, evidence=replace(evidence, judged=judged, others=(training,), strength=0.3), left_out=left_out
    )


@pytest.fixture(scope="module")
def path(complete: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the complete evaluation."""
    found = tmp_path_factory.mktemp("data") / "evidence.npz"
    assert archive.write(found, complete, page.draw(complete)) == ""
    return found


def test_opened_evaluation_gives_the_same_report(complete: Evaluation, path: Path) -> None:
    """Given a file -> the report of the opened evaluation is that of the job, byte by byte."""
    opened = archive.read(path)
    assert page.build(opened.evaluation, drawn=opened.charts) == page.build(complete)
    assert opened.evaluation.evidence.strength == 0.3


def test_features_are_read_when_they_are_needed(complete: Evaluation, path: Path) -> None:
    """Given a file with features -> the opened evaluation holds none, and those of a split can be read."""
    opened = archive.read(path)
    assert opened.has_features
    assert all(split.features is None for split in opened.evaluation.evidence.splits)
    expected = complete.evidence.others[0].features
    assert expected is not None
    np.testing.assert_array_equal(archive.features(path, "training"), expected)
    with pytest.raises(UserError, match="no features of the test images"):
        archive.features(path, "test")


def test_features_beyond_the_limit_are_left_out(
    complete: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given more than fits -> features go first, then the training images' probabilities, and then there is no file."""
    splits = complete.evidence.splits
    of_all = sum(split.probabilities.nbytes for split in splits if split.probabilities is not None)
    target = tmp_path / "evidence.npz"
    monkeypatch.setattr(archive, "MAX_BYTES", of_all)
    archive.write(target, complete, {})
    opened = archive.read(target)
    assert not opened.has_features
    assert "more than" in opened.evaluation.left_out[archive.FEATURES]
    monkeypatch.setattr(archive, "MAX_BYTES", of_all - 1)
    archive.write(target, complete, {})
    monkeypatch.setattr(archive, "MAX_BYTES", of_all)
    assert archive.read(target).evaluation.evidence.others[0].probabilities is None
    monkeypatch.setattr(archive, "MAX_BYTES", 8)
    assert "have more than 8 bytes" in archive.write(tmp_path / "other.npz", complete, {})
    assert not (tmp_path / "other.npz").exists()


def test_file_is_replaced_and_not_followed(complete: Evaluation, tmp_path: Path) -> None:
    """Given a link under the file's name -> the link is replaced, and its target is as it was."""
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "evidence.npz").symlink_to(outside)
    archive.write(tmp_path / "evidence.npz", complete, {})
    assert outside.read_text() == "mine"
    assert archive.read(tmp_path / "evidence.npz").charts == {}


def changed(path: Path, target: Path, change: Callable[[Any, Arrays], Any]) -> Path:
    """Write a copy of a file, with a change of its document and arrays."""
    with np.load(path) as content:
        arrays = dict(content)
    document = json.loads(arrays.pop("document").tobytes())
    change(document, arrays)
    np.savez(target, document=np.frombuffer(json.dumps(document).encode(), np.uint8), **arrays)
    return target


def set_at(*keys: str | int, value: Any) -> Callable[[Any, Arrays], None]:
    """Return the change of one place of the document."""

    def change(document: Any, _: Arrays) -> None:
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


HOSTILE: dict[str, tuple[Callable[[Any, Arrays], Any], str]] = {
    "a newer version": (set_at("version", value=2), "is of version 2, and this program opens version 1"),
    "a script": (
        set_at("charts", value={"loss": '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>'}),
        "element that no chart has",
    ),
    "a handler": (
        set_at("charts", value={"loss": '<svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>'}),
        "attribute that no chart has",
    ),
    "a foreign reference": (
        set_at("charts", value={"loss": '<svg xmlns="http://www.w3.org/2000/svg"><use href="//a/b#c"/></svg>'}),
        "refers to another file",
    ),
    "a foreign reference in a disguise of CSS": (
        set_at("charts", value={"loss": '<svg xmlns="http://www.w3.org/2000/svg" fill="u\\72l(//a/b#c)"/>'}),
        "attribute that no chart has",
    ),
    "a share above one": (set_at("evaluation", "slices", 0, "accuracy", "count", value=10**6), "in .* is impossible"),
    "a share below none": (set_at("evaluation", "calibration", "bins", 0, "accuracy", "count", value=-1), "impossible"),
    "a number beyond every float": (
        set_at("evaluation", "occlusion_maps", 0, 1, "probability", value=10**400),
        "within the range of float",
    ),
    "a wrong type": (set_at("evaluation", "evidence", "class_names", value="ab"), "expected a list"),
    "a row beyond the split": (set_at("evaluation", "label_issues", 0, "row", value=10**6), "an image that it does"),
    "a class beyond the classes": (set_at("evaluation", "label_issues", 0, "suggested", value=99), "a class that it"),
    "a file too few": (set_at("evaluation", "evidence", "judged", "files", value=["a"]), "validation images do not"),
    "a missing field": (lambda document, _: document["evaluation"].pop("slices"), "lacks slices"),
    "a missing array": (lambda _, arrays: arrays.pop("array-000"), "an array of .* is missing"),
    "pickled objects": (
        lambda _, arrays: arrays.update({"array-000": np.array([{}], object)}),
        "of type|header of an array",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_file_that_does_not_fit_is_rejected(name: str, path: Path, tmp_path: Path) -> None:
    """Given a changed file -> one sentence says what is wrong with it."""
    change, expected = HOSTILE[name]
    with pytest.raises(UserError, match=expected):
        archive.read(changed(path, tmp_path / "evidence.npz", change))


def test_file_of_an_earlier_version_opens(path: Path, tmp_path: Path) -> None:
    """Given a file without a field that was added since, and with one that is unknown -> it opens, with the default."""

    def change(document: Any, _: Arrays) -> None:
        evidence = document["evaluation"]["evidence"]
        del evidence["sizes"]
        evidence["of_a_later_version"] = 1

    assert archive.read(changed(path, tmp_path / "evidence.npz", change)).evaluation.evidence.sizes == {}


def test_truncated_file_is_rejected(path: Path, tmp_path: Path) -> None:
    """Given half of a file -> it is called corrupt."""
    (tmp_path / "evidence.npz").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match="is corrupt"):
        archive.read(tmp_path / "evidence.npz")
