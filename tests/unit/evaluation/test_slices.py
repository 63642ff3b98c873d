from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation import slices
from image_classifier.evaluation.evidence import VALIDATION, Split
from image_classifier.evaluation.statistics import Proportion
from image_classifier.evaluation.traits import Traits

COUNT = 600


def random_traits(seed: int) -> list[Traits]:
    """Return traits that are independent of each other."""
    noise = np.random.default_rng(seed)
    return [
        Traits(
            format=str(noise.choice(["jpeg", "png"])),
            width=int(noise.integers(200, 900)),
            height=int(noise.integers(200, 900)),
            bytes=10_000,
            brightness=float(noise.uniform(0.1, 0.9)),
            contrast=float(noise.uniform(0.05, 0.4)),
            sharpness=float(noise.uniform(10, 2000)),
            colourfulness=30.0,
            perceptual_hash=0,
        )
        for _ in range(COUNT)
    ]


def split(right: NDArray[np.bool_], files: Sequence[str] = ()) -> Split:
    """Return a split of two classes whose answers are right or wrong as given."""
    labels = np.arange(COUNT) % 2
    answers = np.where(right, labels, 1 - labels)
    named = tuple(files) or tuple(f"class/{row}.png" for row in range(COUNT))
    return Split(VALIDATION, Path(), named, labels, np.eye(2, dtype=np.float32)[answers])


def mostly_right(seed: int, share: float = 0.9) -> NDArray[np.bool_]:
    """Return for each image whether its answer is right, at random."""
    return np.random.default_rng((seed, 1)).random(COUNT) < share


def test_dark_images_are_found() -> None:
    """Two of five answers for dark images are wrong, one of ten otherwise -> the dark quarter is the first."""
    traits = random_traits(0)
    dark = np.array([one.brightness < 0.3 for one in traits])
    right = np.where(dark, mostly_right(1, 0.6), mostly_right(0))
    found = slices.find(split(right), traits)

    assert found[0].trait == "brightness"
    assert found[0].description == "dark images (brightness below 0.28)"
    assert found[0].accuracy == Proportion(int(right[list(found[0].rows)].sum()), 150)
    assert found[0].accuracy.total + found[0].rest.total == COUNT
    assert found[0].accuracy.value < 0.75 < 0.85 < found[0].rest.value
    assert found[0].p_value < 1e-4
    assert {one.trait for one in found} == {"brightness"}


def test_nothing_is_found_where_nothing_is() -> None:
    """Answers that are independent of all traits, 20 times -> at most one alarm."""
    alarms = [len(slices.find(split(mostly_right(seed)), random_traits(seed))) > 0 for seed in range(20)]

    assert sum(alarms) <= 1


def test_format_and_sub_folder_are_found() -> None:
    """PNG files, and one camera's folder below each class, are worse -> slices that name them."""
    traits = random_traits(3)
    cameras = np.random.default_rng(4).integers(0, 4, COUNT)
    files = [f"{'ab'[row % 2]}/camera {camera}/{row}.png" for row, camera in enumerate(cameras)]
    is_png = np.array([one.format == "png" for one in traits])
    by_format = slices.find(split(np.where(is_png, mostly_right(5, 0.7), mostly_right(5)), files), traits)
    by_folder = slices.find(split(np.where(cameras == 2, mostly_right(6, 0.6), mostly_right(6)), files), traits)

    assert {one.description for one in by_format} == {"PNG files", "JPEG files"}
    assert by_folder[0].description == "images in the sub-folder camera 2"
    assert by_folder[0].trait == "sub-folder"


def test_small_slices_are_left_out() -> None:
    """29 PNG files that are all wrong -> no slice of formats; 30 -> one of each format."""
    for count, formats in ((29, 0), (30, 2)):
        traits = [replace(one, format="png" if row < count else "jpeg") for row, one in enumerate(random_traits(7))]
        found = slices.find(split(np.arange(COUNT) >= count), traits)

        assert sum(one.trait == "format" for one in found) == formats


def test_equal_and_missing_traits() -> None:
    """All images of one size, a third unreadable, the rest of it random -> no slice, and no error."""
    traits: list[Traits | None] = [replace(one, width=224, height=224) for one in random_traits(8)]
    traits[::3] = [None] * len(traits[::3])

    assert slices.find(split(mostly_right(8)), traits) == ()
    assert slices.find(split(mostly_right(8)), [None] * COUNT) == ()


def test_limit_keeps_the_largest_differences() -> None:
    """Many slices and a limit of two -> the two whose accuracy differs the most, in this order."""
    traits = random_traits(9)
    right = np.array([one.brightness > 0.5 and one.contrast > 0.2 for one in traits])
    everything, two = slices.find(split(right), traits), slices.find(split(right), traits, limit=2)
    differences = [abs(one.accuracy.value - one.rest.value) for one in everything]

    assert two == everything[:2]
    assert differences == sorted(differences, reverse=True)


def test_images_without_traits_are_no_slice_of_a_trait_that_all_others_share() -> None:
    """40 images that are gone, all wrong, and others of one size -> no slice that calls the others all images."""
    known = [replace(one, width=240, height=240) for one in random_traits(9)]
    traits = [None if row < 40 else one for row, one in enumerate(known)]
    found = slices.find(split(np.arange(COUNT) >= 40), traits)

    assert not {"size", "aspect ratio"} & {one.trait for one in found}
