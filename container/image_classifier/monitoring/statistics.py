"""`statistics.json` of Model Monitor: a profile as columns with distributions, and back.

Schema: Amazon SageMaker developer guide, Schema for Statistics. Distributions are KLL sketches (Karnin, Lang and
Liberty, Optimal quantile approximation in streams, 2016), whose level h holds values that stand for 2^h each.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import gate_files
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import read_json
from image_classifier.evaluation.drift.baseline import Baseline
from image_classifier.evaluation.drift.profile import INTEGERS, MOST_VALUES, PREDICTED_LABEL, Distribution, Profile

FILE = gate_files.STATISTICS
_BUCKETS = 10
_SKETCH = {"c": 0.64, "k": 2048.0}


def to_json(profile: Profile, class_names: Sequence[str]) -> dict[str, Any]:
    """Return the content of `statistics.json`; classes that no prediction names have a count of 0."""
    features = [_numeric(name, column) for name, column in profile.scalars.items()]
    for name, counts in profile.categories.items():
        names = dict.fromkeys((*class_names, *counts) if name == PREDICTED_LABEL else counts)
        features.append(_string(name, {one: counts.get(one, 0) for one in names}, profile.images))
    return {"version": 0.0, "dataset": {"item_count": profile.images}, "features": features}


def _numeric(name: str, column: Distribution) -> dict[str, Any]:
    values = column.values.astype(np.float64)
    mean = float(values.mean())
    return {
        "name": name,
        "inferred_type": "Integral" if name in INTEGERS else "Fractional",
        "numerical_statistics": {
            "common": {"num_present": column.total, "num_missing": column.missing},
            "mean": mean,
            "sum": mean * column.total,
            "std_dev": float(values.std()),
            "min": float(values[0]),
            "max": float(values[-1]),
            "distribution": {
                "kll": {
                    "buckets": _buckets(column),
                    "sketch": {"parameters": _SKETCH, "data": [level.tolist() for level in _levels(column)]},
                }
            },
        },
    }


def _buckets(column: Distribution) -> list[dict[str, float]]:
    """Return buckets of equal width, the last of which includes its upper bound; their counts sum to the total."""
    bounds = np.linspace(column.values[0], column.values[-1], _BUCKETS + 1, dtype=np.float64)
    below = np.append(np.searchsorted(column.values, bounds[:-1], "left"), len(column.values))
    counts = np.diff((below * (column.total / len(column.values))).round().astype(np.int64))
    return [
        {"lower_bound": low, "upper_bound": high, "count": count}
        for low, high, count in zip(bounds[:-1].tolist(), bounds[1:].tolist(), counts.tolist(), strict=True)
    ]


def _levels(column: Distribution) -> list[NDArray[np.float32]]:
    """Return the values by level, so that their weights sum to the total."""
    values, total = column.values, column.total
    height = (total // len(values)).bit_length() - 1
    levels = [values[:0] for _ in range(height + 2)]
    extra, rest = divmod(total - (len(values) << height), 1 << height)
    promoted = np.zeros(len(values), bool)
    promoted[np.linspace(0, len(values) - 1, extra).round().astype(np.int64)] = True
    levels[height], levels[height + 1] = values[~promoted], values[promoted]
    middle = values[len(values) // 2 : len(values) // 2 + 1]
    for level in range(height):
        if rest >> level & 1:
            levels[level] = middle
    return levels[: height + 1] if not extra else levels


def _string(name: str, counts: Mapping[str, int], images: int) -> dict[str, Any]:
    present = sum(counts.values())
    return {
        "name": name,
        "inferred_type": "String",
        "string_statistics": {
            "common": {"num_present": present, "num_missing": max(images - present, 0)},
            "distinct_count": float(sum(1 for count in counts.values() if count)),
            "distribution": {
                "categorical": {"buckets": [{"value": value, "count": count} for value, count in counts.items()]}
            },
        },
    }


def read(path: Path) -> Baseline:
    """Read a baseline's `statistics.json`; it has neither a confusion matrix nor embeddings.

    Raises:
        UserError: The file is missing, is not JSON, or has another form.
    """
    if path.is_dir():
        path = path / FILE
    if not path.is_file():
        raise UserError(f"The baseline statistics {path} do not exist. Give the {FILE} of a baseline job.")
    found = read_json(path, "the statistics of a baseline job")
    try:
        return _baseline(found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise UserError(
            f"{path} is not a {FILE} of this program: {error!r}. Run the baseline job again (docs/guides/drift.md)."
        ) from error


def _baseline(found: Any) -> Baseline:
    scalars: dict[str, Distribution] = {}
    categories: dict[str, dict[str, int]] = {}
    for feature in found["features"]:
        name = str(feature["name"])
        if "numerical_statistics" in feature:
            scalars[name] = _distribution(feature["numerical_statistics"])
        else:
            buckets = feature["string_statistics"]["distribution"]["categorical"]["buckets"]
            categories[name] = {str(one["value"]): int(one["count"]) for one in buckets}
    profile = Profile(int(found["dataset"]["item_count"]), scalars, categories)
    return Baseline(tuple(categories[PREDICTED_LABEL]), profile)


def _distribution(found: Mapping[str, Any]) -> Distribution:
    levels = found["distribution"]["kll"]["sketch"]["data"]
    values = np.concatenate([np.asarray(level, np.float32) for level in levels])
    weights = np.concatenate([np.full(len(level), 2.0**height) for height, level in enumerate(levels)])
    if not np.isfinite(values).all():
        raise ValueError("a distribution has values that are not finite")
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    total = int(found["common"]["num_present"])
    ranks = np.linspace(0.5, reached[-1] - 0.5, min(total, MOST_VALUES))
    kept = values[order][np.searchsorted(reached, ranks, "left")]
    return Distribution(kept.astype(np.float32), total, int(found["common"]["num_missing"]))
