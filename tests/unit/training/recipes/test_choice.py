"""Stage 2's paired rule, on counts and on outputs."""

import numpy as np
import pytest

from image_classifier.training.recipes import choice
from image_classifier.training.recipes.choice import Comparison


@pytest.mark.parametrize(
    ("only_head", "only_tuned", "wins"),
    [
        (0, 0, False),
        (0, 1, False),
        (0, 2, False),
        (0, 3, True),
        (1, 4, False),
        (1, 5, True),
        (20, 28, True),
        (20, 27, False),
        (28, 20, False),
        (15, 21, False),
        (14, 22, True),
    ],
)
def test_tuned_network_needs_more_than_a_standard_error(only_head: int, only_tuned: int, wins: bool) -> None:
    """Given discordant pairs -> the tuned network wins when its lead, less one image, exceeds their square root."""
    assert Comparison(200, 100, only_head, only_tuned).tuned_wins is wins


def test_numbers_of_a_comparison() -> None:
    """Given 100 images, 80 right by both, 4 and 12 by one -> both accuracies, their difference and its error."""
    found = Comparison(100, 80, 4, 12)
    assert (found.head_accuracy, found.tuned_accuracy) == pytest.approx((0.84, 0.92))
    assert (found.difference, found.standard_error) == pytest.approx((0.08, 0.04))
    assert found.rule() == (
        "the tuned network's lead on 100 validation images, less one image, is more than one standard error: accuracy "
        "0.9200 against 0.8400, difference +0.0800 ± 0.0400; 12 images only the network has right, 4 only the head"
    )


def test_rule_names_copies_that_were_not_compared() -> None:
    """Given copies among the validation images -> the sentence says how many did not count."""
    rule = Comparison(100, 80, 4, 12, 3).rule()
    assert " lead on 100 validation images (without 3 copies), less one image, is more " in rule


@pytest.mark.parametrize(("mistakes", "possible"), [(0, False), (1, False), (2, False), (3, True), (40, True)])
def test_a_head_with_too_few_mistakes_cannot_lose(mistakes: int, possible: bool) -> None:
    """Given a head's mistakes -> with two or fewer no network wins, not even one without any."""
    assert choice.can_win(mistakes) is possible
    wins = [
        Comparison(100, 0, only_head, only_tuned).tuned_wins
        for only_tuned in range(mistakes + 1)
        for only_head in range(20)
    ]
    assert any(wins) is possible


def test_no_image_to_compare_on() -> None:
    """Given no validation image -> the head stays, without a division by zero."""
    found = choice.compare(np.empty((0, 3), np.float32), np.empty((0, 3), np.float32), np.empty(0, np.int64))
    assert (found.tuned_wins, found.difference, found.standard_error) == (False, 0, 0)


def test_pairs_are_counted_from_logits_and_from_one_probability() -> None:
    """Given outputs of both -> counts of images that both, or one alone, classify correctly."""
    labels = np.array([0, 1, 2, 2])
    head = np.array([[3, 1, 0], [2, 1, 0], [0, 0, 1], [1, 0, 0]], np.float32)
    tuned = np.array([[3, 1, 0], [0, 9, 0], [1, 0, 0], [1, 0, 0]], np.float32)
    assert choice.compare(head, tuned, labels) == Comparison(4, 1, 1, 1)
    one, other = (np.array(column, np.float32)[:, np.newaxis] for column in ([0.2, 0.4, 0.6], [0.7, 0.9, 0.8]))
    assert choice.compare(one, other, np.array([0, 1, 1])) == Comparison(3, 1, 1, 1)
