"""The estimate: which images and settings are measured, and what follows from the measurement."""

from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier.console.estimating import prediction
from image_classifier.console.estimating.estimates import trains_on_pixels
from image_classifier.console.estimating.prediction import Estimate, Measurement
from image_classifier.console.estimating.request import IMAGES, Request, Sizes, choose, rows_of, settings_of
from image_classifier.console.estimating.watched_job import TRAINING, VALIDATION, Watched
from image_classifier.contract import hyperparameters
from image_classifier.contract.hyperparameters import Hyperparameters

SIZES = Sizes(10_000, 0, 0, 2, 5_000)
MARKS = {
    **{"started": 4.0, "loaded": 5.0, "prepared": 8.0, "head": 14.0, "trained": 16.0, "converted": 20.0},
    **{"verified": 22.0, "reported": 24.0, "ended": 25.0},
}
"""512 training and 128 validation images at 100 a second, after 3 s for OpenVINO."""
FEATURES = Measurement(
    Watched(MARKS, {TRAINING: [(8.5, 52), (13.1, 512)], VALIDATION: [(13.2, 12), (14.36, 128)]}, [15.0], features=1280),
    *(0.01, 640, 2, 0.1),
)
PIXELS = Measurement(Watched({"loaded": 5.0, "ended": 40.0}, {}, [20.0, 25.0, 30.0]), 0.01, 128, 2, 0.1)


def values_of(**given: object) -> Hyperparameters:
    """Return the hyperparameters of a job."""
    return hyperparameters.parse(given).values


def predicted(values: Hyperparameters, sizes: Sizes = SIZES, **changes: object) -> Estimate:
    """Return the estimate of a job by the measurements above."""
    features = replace(FEATURES, **changes)  # type: ignore[arg-type]
    pixels = PIXELS if trains_on_pixels(values) else None
    return prediction.predict(values, sizes, features, pixels, processors=2, gpu=False)


def test_time_grows_with_the_images_and_the_fixed_part_does_not() -> None:
    """Given twice the images -> the features take twice as long, start and export almost the same."""
    values = values_of(recipe="auto", train_only_top_layer=True)
    once, twice = predicted(values), predicted(values, replace(SIZES, training=20_000, smallest_class=10_000))
    small, large = ({phase.name: phase.seconds for phase in found.phases} for found in (once, twice))
    assert 100 < small["features"] < 106
    assert large["features"] - small["features"] == pytest.approx(100, rel=0.02)
    assert large["start"] == small["start"]
    assert once.seconds == pytest.approx(sum(small.values()))


def test_tuning_is_announced_where_the_recipe_may_tune() -> None:
    """Given enough images of each class, too few, or a frozen network -> up to ten minutes more, or none."""
    assert predicted(values_of(recipe="auto")).tuning_seconds == 600
    assert predicted(values_of(recipe="auto"), replace(SIZES, smallest_class=20)).tuning_seconds == 0
    assert predicted(values_of(recipe="auto", train_only_top_layer=True)).tuning_seconds == 0
    assert predicted(values_of(recipe="builtin", train_only_top_layer=True)).tuning_seconds == 0


def test_a_time_budget_limits_the_tuning_and_says_when_it_is_too_short() -> None:
    """Given max_runtime -> the tuning gets what is left of it; less than the rest needs is said."""
    enough = predicted(values_of(recipe="auto", max_runtime=400))
    assert enough.tuning_seconds == pytest.approx(400 - enough.seconds)
    assert not enough.limited
    short = predicted(values_of(recipe="auto", max_runtime=30))
    assert short.limited
    assert short.tuning_seconds == 0


def test_epochs_of_the_whole_network_are_measured_on_pixels() -> None:
    """Given recipe=builtin -> the epochs take as much longer as there are more images and epochs."""
    three, six = (predicted(values_of(recipe="builtin", epochs=count)) for count in (3, 6))
    epochs = [next(p.seconds for p in found.phases if p.name.endswith("epochs")) for found in (three, six)]
    assert epochs[1] == pytest.approx(2 * epochs[0])
    assert epochs[0] == pytest.approx(3 * 5 * 10_000 / 128, rel=0.02)


def test_memory_grows_by_the_features() -> None:
    """Given more images than were measured -> the features of the others are added to the peak."""
    found = predicted(values_of(recipe="auto"), watched=replace(FEATURES.watched, peak_bytes=10**9))
    assert found.memory_bytes == 10**9 + (10_000 - 640) * 1280 * 4 * 3


def test_cost_is_that_of_the_hours() -> None:
    """Given a price for an hour -> the job's share of it, and with tuning the longest."""
    found = predicted(values_of(recipe="auto"))
    assert found.cost(3600) == pytest.approx(found.seconds)
    assert found.most_cost(3600) == pytest.approx(found.seconds + 600)


def test_a_busy_machine_is_noted() -> None:
    """Given more processes than half of the CPUs before the measurement -> the estimate says so."""
    assert not predicted(values_of(recipe="auto")).busy
    assert predicted(values_of(recipe="auto"), load=3.0).busy


def test_images_are_chosen_evenly_from_all_classes() -> None:
    """Given 2 and 200 classes -> 32 images, evenly of the classes, two of each at least; lone images are left out."""
    two = {name: [f"{name}/{index}" for index in range(100)] for name in ("a", "b")}
    assert len(choose(two)) == IMAGES
    assert {name for name, _ in choose(two)} == {"a", "b"}
    many = {f"{number:03d}": [f"{number}/{index}" for index in range(5)] for number in range(200)}
    assert len(choose(many)) == IMAGES
    assert len({name for name, _ in choose(many)}) == 16
    assert choose({**two, "alone": ["c/0"]}) == choose(two)


def test_settings_that_cost_nothing_do_not_ask_for_another_measurement() -> None:
    """Given another seed, learning rate or number of epochs -> the same settings; another batch size -> others."""
    first = settings_of(values_of(recipe="builtin", train_only_top_layer=True), False)
    assert settings_of(values_of(recipe="builtin", train_only_top_layer=True, random_seed=7, epochs=9), False) == first
    other = values_of(recipe="builtin", train_only_top_layer=True, batch_size=8)
    assert settings_of(other, False) != first
    assert first["epochs"] == "3"


@pytest.mark.parametrize("recipe", ["auto", "builtin", "search"])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("augmentation", [True, False])
def test_the_small_job_has_valid_hyperparameters(recipe: str, whole: bool, augmentation: bool) -> None:
    """Given every recipe -> the small job's hyperparameters are accepted; the one on features freezes the network."""
    asked = values_of(recipe=recipe, augmentation=augmentation and recipe == "builtin")
    on_pixels = whole and trains_on_pixels(asked)
    values = hyperparameters.parse(settings_of(asked, on_pixels)).values
    assert values.train_only_top_layer is not on_pixels
    assert values.augmentation is (on_pixels and augmentation)


def test_rows_make_the_job_compute_features_as_the_whole_one_does() -> None:
    """Given few and many images -> so few rows that TensorFlow computes, or enough for OpenVINO."""
    assert rows_of(replace(SIZES, training=599), False) == 128
    assert rows_of(replace(SIZES, training=600), False) == 640
    assert rows_of(SIZES, True) == 128
    assert rows_of(replace(SIZES, training=40), False) == 40


def test_requests_of_other_content_or_settings_have_other_names(tmp_path: Path) -> None:
    """Given another digest, model or setting -> another key; the same request as JSON -> the same key."""
    first = Request((("a", "x"),), "digest", "lite0", {"epochs": "3"}, 128)
    assert Request.from_json(first.to_json()) == first
    others = [
        replace(first, content="other"),
        replace(first, model="b0"),
        replace(first, settings={}),
        replace(first, rows=9),
    ]
    assert len({first.key, *(other.key for other in others)}) == 5
