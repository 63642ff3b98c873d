"""The smallest class that counts, by which a job and its estimate know whether the network may be tuned."""

import pytest

from image_classifier.contract import plan_rules


@pytest.mark.parametrize(
    ("counts", "smallest"),
    [
        ([50, 30, 40], 30),
        ([10, *[100] * 9], 100),
        ([100, 10, 80], 80),
        ([10, 90], 90),
        ([10, 89], 10),
        ([3, 4, 5, 88], 5),
        ([1] * 100, 1),
        ([0, 7], 7),
        ([0], 0),
        ([], 0),
    ],
)
def test_rare_classes_of_a_tenth_of_the_images_do_not_count(counts: list[int], smallest: int) -> None:
    """Given the images of each class -> the smallest class without those that hold a tenth or less together."""
    assert plan_rules.smallest_class(counts) == smallest
