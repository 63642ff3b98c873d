"""Choosing the regularisation: folds, leaks, bits, and what large or tiny data change."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.heads import cross_validation, fold_table, linear_head, regularisation_path, workers
from image_classifier.heads.cross_validation import Selection
from tests.support.feature_rows import FeatureSource

SOURCE = FeatureSource(24, 3, 0.4)


def bits(selection: Selection) -> bytes:
    """Return everything that was selected."""
    head = selection.head
    return b"".join(array.tobytes() for array in (head.kernel, head.bias, selection.out_of_fold))


def noise(count: int, features: int = 200) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw rows whose labels have nothing to do with their features, which can be learned by heart."""
    draw = np.random.default_rng(0)
    return draw.standard_normal((count, features), np.float32), draw.permutation(np.arange(count) % 2)


def test_selection_is_a_head_with_honest_scores() -> None:
    """Given 300 rows -> a head as accurate on fresh rows as its score says, and scores of all strengths tried."""
    features, labels = SOURCE.draw(300)
    found = cross_validation.select(features, labels, 3, seed=0)
    fresh, truth = SOURCE.draw(2000, seed=2)
    accuracy = (linear_head.predicted(found.head.probabilities(fresh)) == truth).mean()
    assert 0.5 < found.score.accuracy < 0.95
    assert abs(accuracy - found.score.accuracy) < 3 * found.score.standard_error
    assert found.folds == 5
    tried = list(found.scores)
    assert tried == list(regularisation_path.STRENGTHS[: len(tried)])
    assert found.out_of_fold.shape == (300, 3)
    np.testing.assert_allclose(found.out_of_fold.sum(axis=1), 1, atol=1e-5)
    right = linear_head.predicted(found.out_of_fold) == labels
    assert right.mean() == found.score.accuracy
    losses = -np.log(found.out_of_fold[np.arange(300), labels])
    assert losses.mean() == pytest.approx(found.score.log_loss, abs=1e-5)


def test_path_ends_once_the_log_loss_has_risen() -> None:
    """Given overlapping classes -> the weakest strengths are not tried, and the chosen one is not the last."""
    features, labels = SOURCE.draw(300)
    found = cross_validation.select(features, labels, 3, seed=0)
    losses = [score.log_loss for score in found.scores.values()]
    assert len(losses) < len(regularisation_path.STRENGTHS)
    assert losses[-1] > min(losses)
    assert found.strength < max(found.scores)


def test_ties_go_to_the_stronger_regularisation() -> None:
    """Given classes that every head separates -> of the least log losses the first, not the last."""
    labels = np.arange(40) % 2
    features = np.where(labels[:, np.newaxis] == 1, 1, -1).astype(np.float32) * np.ones((1, 3), np.float32)
    found = cross_validation.select(features, labels, 2, seed=0)
    assert found.score.accuracy == 1
    assert found.strength < max(found.scores)


def test_no_head_sees_the_rows_that_it_predicts() -> None:
    """Given noise with fewer rows than features -> all learned by heart, predicted like a coin."""
    features, labels = noise(120)
    found = cross_validation.select(features, labels, 2, seed=0)
    by_heart = linear_head.fit(features, labels, 2, 1.0)
    assert (linear_head.predicted(by_heart.probabilities(features)) == labels).all()
    assert found.score.accuracy < 0.65


@pytest.mark.parametrize("binary", [False, True])
def test_equal_arguments_give_equal_bits(monkeypatch: pytest.MonkeyPatch, binary: bool) -> None:
    """Given one CPU or three -> the same bits; given another seed -> other folds."""
    features, labels = FeatureSource(24, 2, 0.4).draw(150)
    found = []
    for cpus, seed in ((1, 7), (3, 7), (3, 8)):
        monkeypatch.setattr(workers, "available_processors", lambda cpus=cpus: cpus)
        found.append(bits(cross_validation.select(features, labels, 2, seed, binary=binary)))
    assert found[0] == found[1] != found[2]


def test_binary_mode_has_one_output() -> None:
    """Given binary mode -> probabilities of class 1, scored with the threshold 0.5."""
    features, labels = FeatureSource(24, 2, 0.4).draw(150)
    found = cross_validation.select(features, labels, 2, seed=0, binary=True)
    assert found.out_of_fold.shape == (150, 1)
    assert found.head.kernel.shape == (24, 1)
    assert ((found.out_of_fold[:, 0] > 0.5) == labels).mean() == found.score.accuracy > 0.6


def test_weights_reach_every_fold_and_the_log_loss() -> None:
    """Given a class that counts a hundredfold -> it is predicted more often, and the log loss is the weighted one."""
    features, labels = SOURCE.draw(200)
    weights = np.where(labels == 2, 100, 1).astype(np.float32)
    found = cross_validation.select(features, labels, 3, seed=0, sample_weights=weights)
    plain = cross_validation.select(features, labels, 3, seed=0)
    counts = [(linear_head.predicted(one.out_of_fold) == 2).mean() for one in (found, plain)]
    assert counts[0] > counts[1] + 0.2
    losses = -np.log(found.out_of_fold[np.arange(200), labels])
    assert np.average(losses, weights=weights) == pytest.approx(found.score.log_loss, rel=1e-4)


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 1, 1, 3, 3, 3], [0, 0, 0, 1]])
def test_few_rows_and_missing_classes_are_enough(labels: list[int]) -> None:
    """Given a class with one row, a class without any, or two rows in all -> each row is held out once."""
    features = FeatureSource(24, 4).draw(len(labels))[0]
    found = cross_validation.select(features, np.array(labels), 4, seed=0)
    assert np.isfinite(found.out_of_fold).all()
    assert np.isfinite(found.head.kernel).all()
    assert found.folds == min(5, len(labels))


@pytest.mark.parametrize("rounding", [0, 1e-6])
def test_copies_of_an_image_do_not_judge_a_head_that_saw_it(rounding: float) -> None:
    """Given noise in three copies, equal or up to rounding -> still predicted like a coin; copies share a fold."""
    features, labels = noise(60)
    three, order = np.repeat(features, 3, axis=0), np.random.default_rng(1).permutation(180)
    three *= 1 + rounding * np.random.default_rng(2).uniform(-1, 1, three.shape).astype(np.float32)
    found = cross_validation.select(three[order], np.repeat(labels, 3)[order], 2, seed=0)
    assert found.score.accuracy < 0.7
    fold = fold_table.deal_copies_together(three[order], np.repeat(labels, 3)[order], 5, seed=0)
    of_image = fold[np.argsort(order)].reshape(60, 3)
    assert (of_image == of_image[:, :1]).all()
    assert np.bincount(of_image[:, 0]).tolist() == [12] * 5


def test_different_rows_are_dealt_as_without_a_look_for_copies() -> None:
    """Given rows without copies, or all the same -> the folds of `deal`, also of a sample."""
    features, labels = noise(60)
    for limit in (None, 30):
        expected = fold_table.deal(labels, 5, seed=3, limit=limit)
        for some in (features, np.zeros_like(features), np.full_like(features, np.nan)):
            np.testing.assert_array_equal(fold_table.deal_copies_together(some, labels, 5, 3, limit), expected)


def test_deal_is_stratified() -> None:
    """Given classes of several sizes -> folds and their classes differ by one row at most; the seed decides which."""
    labels = np.repeat([0, 1, 2], [13, 4, 1])
    fold = fold_table.deal(labels, 5, seed=3)
    assert np.ptp(np.bincount(fold)) <= 1
    for label in range(3):
        assert np.ptp(np.bincount(fold[labels == label], minlength=5)) <= 1
    assert (fold != fold_table.deal(labels, 5, seed=4)).any()
    sample = fold_table.deal(labels, 5, seed=3, limit=9)
    assert np.bincount(labels[sample >= 0], minlength=3).tolist() == [7, 2, 0]


def test_many_rows_have_fewer_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given 5,000 rows, here 100 -> 3 folds; given 50,000, here 200 -> a fifth is held out, the rest is NaN."""
    monkeypatch.setattr(cross_validation, "MANY", 100)
    monkeypatch.setattr(cross_validation, "HOLD_OUT_FROM", 200)
    features, labels = SOURCE.draw(200)
    assert cross_validation.select(features[:99], labels[:99], 3, seed=0).folds == 5
    assert cross_validation.select(features[:100], labels[:100], 3, seed=0).folds == 3
    found = cross_validation.select(features, labels, 3, seed=0)
    assert found.folds == 1
    assert np.isfinite(found.out_of_fold).all(axis=1).sum() == 40


def test_rows_beyond_the_sample_are_fitted_from_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a file of 400 rows and a sample of 100 -> its strength, a head of all rows, and the same from memory."""
    monkeypatch.setattr(cross_validation, "SAMPLE_ROWS", 100)
    features, labels = SOURCE.draw(400)
    np.save(tmp_path / "features.npy", features)
    in_file = np.load(tmp_path / "features.npy", mmap_mode="r")
    found = cross_validation.select(in_file, labels, 3, seed=0)
    assert np.isfinite(found.out_of_fold).all(axis=1).sum() == 100
    expected = linear_head.fit(features, labels, 3, found.strength)
    np.testing.assert_allclose(found.head.probabilities(features), expected.probabilities(features), atol=0.01)
    assert bits(found) == bits(cross_validation.select(features, labels, 3, seed=0))


def test_check_stops_the_selection() -> None:
    """Given a check that raises after some passes -> its exception, at once."""
    features, labels = SOURCE.draw(60)
    calls = []

    def check() -> None:
        calls.append(0)
        if len(calls) == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validation.select(features, labels, 3, seed=0, check=check)
    assert len(calls) == 20
