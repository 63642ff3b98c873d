"""The head fitted again on corrected labels, in this process and in the child."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.console.judging import refit, refits, results
from image_classifier.console.judging.corrections import EXCLUDED, SHOWN, Corrections
from image_classifier.console.judging.refit import Before
from image_classifier.console.judging.refits import Measured, Refitter
from image_classifier.console.judging.results import Result
from image_classifier.contract.errors import UserError
from image_classifier.evaluation import archive
from image_classifier.heads import linear_head
from tests.unit.console.judging import judged_jobs
from tests.unit.console.judging.judged_jobs import CLASSES

WRONG = 60


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A result whose first 60 training labels are wrong."""
    folder = tmp_path_factory.mktemp("console")
    return results.open_job(judged_jobs.write(folder / "jobs", "one", judged_jobs.evaluation(folder, WRONG)))


@pytest.fixture(scope="module")
def before(result: Result) -> Before:
    """Its head and features."""
    return refit.prepare(result.opened.evaluation.evidence, lambda split: archive.features(result.file, split))


@pytest.fixture
def refitter() -> Iterator[Refitter]:
    """A refitter whose child ends with the test."""
    found = Refitter()
    yield found
    found.close()


def truth(result: Result) -> dict[int, int]:
    """Return the true labels of the wrong ones."""
    training = result.opened.evaluation.evidence.training
    assert training is not None
    return {row: int(training.labels[row] - 1) % len(CLASSES) for row in range(WRONG)}


def corrected(training: Mapping[int, int], judged: Mapping[int, int] | None = None) -> Corrections:
    """Return corrections of both splits."""
    return Corrections(CLASSES, {"training": training, "validation": judged or {}})


def test_corrected_labels_raise_the_score(result: Result, before: Before) -> None:
    """Given wrong training labels -> corrected, the new head is right on more of the held-out images."""
    found = refit.measure(result.opened.evaluation.evidence, before, corrected(truth(result)))
    assert found.training_changed == WRONG
    assert found.counts.is_significant
    assert found.after.count - found.before.count == found.counts.only_second - found.counts.only_first > 10
    assert len(found.better) == min(found.counts.only_second, SHOWN)


def test_nothing_corrected_changes_nothing(result: Result, before: Before) -> None:
    """Given no correction -> the same head, and its score is that of the job."""
    evaluation = result.opened.evaluation
    found = refit.measure(evaluation.evidence, before, corrected({}))
    assert found.before == found.after == evaluation.score.accuracy
    assert found.counts.p_value == 1


def test_head_is_that_of_the_rows_that_are_left(result: Result, before: Before) -> None:
    """Given dropped images -> nearly the head that is fitted without them: only the scaling of features knows them."""
    evidence = result.opened.evaluation.evidence
    found = refit.measure(evidence, before, corrected(dict.fromkeys(range(WRONG), EXCLUDED)))
    training = evidence.training
    assert training is not None
    rest: NDArray[np.int64] = np.arange(WRONG, len(training))
    head = linear_head.fit(archive.features(result.file, "training")[rest], training.labels[rest], len(CLASSES), 0.1)
    right = linear_head.predicted(head.logits(before.judged)) == evidence.judged.labels
    assert abs(found.after.count - int(right.sum())) <= 1
    assert (found.images, found.training_excluded) == (len(rest), WRONG)


def test_both_heads_are_judged_by_the_corrected_labels(result: Result, before: Before) -> None:
    """Given a wrong held-out label and a dropped image -> both scores count them as corrected, and it is said."""
    evidence = result.opened.evaluation.evidence
    is_right = linear_head.predicted(before.head.logits(before.judged)) == evidence.judged.labels
    right = int(np.flatnonzero(is_right)[0])
    wrong_class = (int(evidence.judged.labels[right]) + 1) % len(CLASSES)
    other = right + 1
    found = refit.measure(evidence, before, corrected({}, {right: wrong_class, other: EXCLUDED}))
    assert (found.judged_changed, found.judged_excluded) == (1, 1)
    assert found.before.total == len(evidence.judged) - 1
    assert found.before.count == is_right.sum() - 1 - is_right[other]
    assert found.counts.total == found.before.total


def test_new_class_is_fitted_too(result: Result, before: Before) -> None:
    """Given images that were moved to a new class -> the head has it, and the old one is wrong on them."""
    evidence = result.opened.evaluation.evidence
    moved = dict.fromkeys(range(100, 140), 3)
    found = refit.measure(evidence, before, Corrections((*CLASSES, "moon"), {"training": moved, "validation": {0: 3}}))
    assert found.before.total == len(evidence.judged)


def test_everything_dropped_is_rejected(result: Result, before: Before) -> None:
    """Given no image that is left -> one sentence."""
    evidence = result.opened.evaluation.evidence
    with pytest.raises(UserError, match="All training images"):
        refit.measure(evidence, before, corrected(dict.fromkeys(range(400), EXCLUDED)))


def test_child_answers_as_this_process(result: Result, before: Before, refitter: Refitter) -> None:
    """Given a child -> the same figures, also for a second request and after the child was killed."""
    evidence = result.opened.evaluation.evidence
    for corrections in (corrected(truth(result)), corrected({})):
        found, expected = refitter.measure(result, corrections), refit.measure(evidence, before, corrections)
        assert (found.before, found.after, found.counts) == (expected.before, expected.after, expected.counts)
    assert refitter._process is not None
    refitter._process.kill()
    refitter._process.wait()
    assert refitter.measure(result, corrected({})).before == result.opened.evaluation.score.accuracy


def test_prepared_child_is_the_one_that_measures(result: Result, refitter: Refitter) -> None:
    """Given a child that gets ready -> it answers the first measurement; closed meanwhile, no other one is started."""
    refitter.prepare(result).join()
    first = refitter.pid
    assert first is not None
    assert refitter.measure(result, corrected({})).before == result.opened.evaluation.score.accuracy
    assert refitter.pid == first
    refitter.prepare(result)
    refitter.close()
    assert refitter.pid is None


def test_result_without_features_is_explained(tmp_path: Path, refitter: Refitter) -> None:
    """Given a job that left no features -> the child's sentence arrives as an error."""
    from dataclasses import replace

    found = judged_jobs.evaluation(tmp_path)
    splits = [replace(split, features=None) for split in found.evidence.splits]
    bare = replace(found, evidence=replace(found.evidence, judged=splits[0], others=tuple(splits[1:])))
    result = results.open_job(judged_jobs.write(tmp_path, "bare", bare))
    with pytest.raises(UserError, match="no features of the training images"):
        refitter.measure(result, corrected({}))


def test_last_refit_is_kept_for_its_result(result: Result, before: Before, tmp_path: Path) -> None:
    """Given a refit -> loaded again for the same result, and not for another one of this name."""
    from dataclasses import replace

    measured = Measured(
        result.stamp, 4, refit.measure(result.opened.evaluation.evidence, before, corrected(truth(result)))
    )
    refits.save(tmp_path, result.job, measured)
    assert refits.load(tmp_path, result) == measured
    assert refits.load(tmp_path, replace(result, stamp="other")) is None
    assert refits.load(tmp_path / "empty", result) is None
