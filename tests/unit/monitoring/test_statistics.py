"""statistics.json: the documented schema, and a baseline that survives it."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from image_classifier.contract.errors import UserError
from image_classifier.evaluation.drift.profile import Distribution, Profile
from image_classifier.monitoring import statistics
from tests.support import monitored
from tests.unit.monitoring.validated import validate

RANDOM = np.random.default_rng(0)


def of_one_image(images: float = 1, brightness: float = 0.25) -> str:
    """Return statistics of one image as JSON, in which numbers may be infinite or of any length."""
    sketch = {"kll": {"sketch": {"data": [[brightness]]}}}
    numbers = {"common": {"num_present": 1, "num_missing": 0}, "distribution": sketch}
    labels = {"distribution": {"categorical": {"buckets": [{"value": "a", "count": 1}]}}}
    features = [
        {"name": "brightness", "numerical_statistics": numbers},
        {"name": "predicted_label", "string_statistics": labels},
    ]
    return json.dumps({"dataset": {"item_count": images}, "features": features})


def test_smallest_statistics_are_read(tmp_path: Path) -> None:
    """Given statistics of one image -> its brightness."""
    path = tmp_path / "statistics.json"
    path.write_text(of_one_image())
    assert statistics.read(path).profile.scalars["brightness"].values.tolist() == [0.25]


@pytest.mark.parametrize("count", [1, 10, 1001, 1002, 1500, 2002, 5000, 123_457])
def test_sketch_weighs_as_much_as_there_are_images(count: int) -> None:
    """Given any number of images -> valid, level h counting 2^h for each value, and buckets that count the same."""
    column = Distribution.of(RANDOM.normal(size=count))
    found = statistics.to_json(Profile(count, {"brightness": column}, {}), ())
    validate(found, "statistics")
    kll = found["features"][0]["numerical_statistics"]["distribution"]["kll"]
    assert sum(len(level) << height for height, level in enumerate(kll["sketch"]["data"])) == count
    assert sum(bucket["count"] for bucket in kll["buckets"]) == count


def test_constant_is_one_bucket() -> None:
    """Given images that are all 300 pixels wide -> ten buckets, all images in the last one; whole numbers."""
    profile = Profile(200, {"width": Distribution.of([300.0] * 200)}, {})
    found = statistics.to_json(profile, ())
    validate(found, "statistics")
    assert found["features"][0]["inferred_type"] == "Integral"
    counts = [one["count"] for one in found["features"][0]["numerical_statistics"]["distribution"]["kll"]["buckets"]]
    assert counts == [0] * 9 + [200]


def test_baseline_survives_its_statistics(tmp_path: Path) -> None:
    """Given the statistics of a baseline -> the same distributions to 1 %, counts, classes and no confusion matrix."""
    known = monitored.known()
    (tmp_path / "statistics.json").write_text(json.dumps(statistics.to_json(known.profile, known.class_names)))
    read = statistics.read(tmp_path)
    assert read.class_names == known.class_names
    assert read.profile.images == known.profile.images
    assert read.profile.categories == known.profile.categories
    assert read.confusion is None
    for name, column in known.profile.scalars.items():
        assert np.array_equal(read.profile.scalars[name].values, column.values)
        assert read.profile.scalars[name].total == column.total


def test_thinned_distribution_survives_its_statistics(tmp_path: Path) -> None:
    """Given 3,333 values, of which 1,001 are kept -> quantiles within 0.03 of a standard deviation."""
    column = Distribution.of(RANDOM.normal(size=3333))
    profile = Profile(3333, {"contrast": column}, {"predicted_label": {"a": 3333}})
    path = tmp_path / "statistics.json"
    path.write_text(json.dumps(statistics.to_json(profile, ("a", "b"))))
    read = statistics.read(path)
    assert read.class_names == ("a", "b")
    found = np.quantile(read.profile.scalars["contrast"].values, [0.1, 0.5, 0.9])
    assert found == pytest.approx(np.quantile(column.values, [0.1, 0.5, 0.9]), abs=0.03)


@pytest.mark.parametrize(
    "content",
    [
        *("{}", "[]", '{"features": [{"name": "x"}], "dataset": {"item_count": 1}}'),
        of_one_image(images=math.inf),
        of_one_image(brightness=math.inf),
        of_one_image(brightness=10**400),
    ],
)
def test_other_json_is_explained(tmp_path: Path, content: str) -> None:
    """Given another JSON file, or none -> a sentence that names the file."""
    path = tmp_path / "statistics.json"
    with pytest.raises(UserError, match=r"baseline statistics .* do not exist"):
        statistics.read(path)
    path.write_text(content)
    with pytest.raises(UserError, match=r"is not a statistics\.json of this program"):
        statistics.read(path)
