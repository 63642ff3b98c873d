"""The images that the quantiser's process takes."""

from pathlib import Path

import numpy as np

from image_classifier.class_folders.listing import Example, Listing
from image_classifier.training.export import quantiser


def test_sample_keeps_the_shares_of_the_classes() -> None:
    """30 of 210 images -> ten of each class, the same each time; images of other hosts are not among them."""
    examples = tuple(Example(Path(f"{index}.png"), index % 3) for index in range(210))
    listing = Listing(Path(), ("red", "green", "blue"), examples)
    few = quantiser.stratified_rows(listing, 30)
    assert np.bincount([examples[row].label for row in few]).tolist() == [10, 10, 10]
    assert few.tolist() == quantiser.stratified_rows(listing, 30).tolist()
    others = tuple(Example(example.path, example.label, owner=1) for example in examples[:100])
    found = quantiser.stratified_rows(Listing(Path(), listing.class_names, others + examples[100:]), 200)
    assert (len(found), found.min()) == (110, 100)
