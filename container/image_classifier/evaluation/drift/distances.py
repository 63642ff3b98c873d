"""How far two distributions are apart, and how probable such a distance is between samples of one distribution."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.drift.profile import Distribution

BINS = 10
LEAST_EXPECTED = 5.0
"""Expected images of a category in the smaller sample, below which it is pooled with the others (Cochran, 1954)."""


def kolmogorov_smirnov(first: Distribution, second: Distribution) -> tuple[float, float]:
    """Return the largest difference of the two cumulative distributions, and its asymptotic p-value.

    Exact up to the thinning of `Distribution`; conservative where values are tied.
    """
    from scipy.special import kolmogorov

    points = np.concatenate([first.values, second.values])
    cumulative = [np.searchsorted(one.values, points, "right") / len(one.values) for one in (first, second)]
    distance = float(np.abs(cumulative[0] - cumulative[1]).max())
    effective = first.total * second.total / (first.total + second.total)
    return distance, float(kolmogorov(np.sqrt(effective) * distance))


def population_stability(baseline: Distribution, current: Distribution) -> float:
    """Return the population stability index: the sum over bins of (q - p) ln(q / p).

    Ten bins of equal mass in the baseline, or one for each value if it has at most ten. Half an image is added to each
    bin that one of the two has images in, so that an empty one does not make it infinite; to bins that are empty in
    both it would give shares that differ by the number of images alone. By convention below 0.1 is stable, 0.2 and
    more a shift (Siddiqi, Credit Risk Scorecards, 2006).
    """
    edges = _edges(baseline.values)
    counts = np.stack([_counts(one, edges) for one in (baseline, current)])
    counts = counts[:, counts.any(axis=0)] + 0.5
    p, q = counts / counts.sum(axis=1, keepdims=True)
    return float(((q - p) * np.log(q / p)).sum())


def _edges(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the upper bounds, inclusive, of all bins but the last."""
    distinct = np.unique(values)
    if len(distinct) <= BINS:
        return np.sort(np.concatenate([np.nextafter(distinct, np.float32(-np.inf)), distinct]))
    quantiles: NDArray[np.float32] = np.unique(np.quantile(values, np.arange(1, BINS) / BINS).astype(np.float32))
    return quantiles


def _counts(distribution: Distribution, edges: NDArray[np.float32]) -> NDArray[np.float64]:
    kept = np.bincount(np.searchsorted(edges, distribution.values, "left"), minlength=len(edges) + 1)
    return np.asarray(kept * (distribution.total / len(distribution.values)), np.float64)


def chi_squared(baseline: Mapping[str, int], current: Mapping[str, int]) -> tuple[float, float]:
    """Return Pearson's statistic of two samples of categories, and its p-value; rare categories are pooled."""
    from scipy.special import chdtrc

    table = _pooled(_table(baseline, current))
    if table.shape[1] < 2:
        return 0.0, 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, float(chdtrc(table.shape[1] - 1, statistic))


def total_variation(baseline: Mapping[str, int], current: Mapping[str, int]) -> float:
    """Return the share of images, in [0, 1], whose category would have to change to make the two equal."""
    table = _table(baseline, current)
    shares = table / table.sum(axis=1, keepdims=True)
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _table(baseline: Mapping[str, int], current: Mapping[str, int]) -> NDArray[np.float64]:
    """Return counts (2, categories) of the categories that occur."""
    names = [name for name in dict.fromkeys((*baseline, *current)) if baseline.get(name, 0) + current.get(name, 0)]
    return np.array([[counts.get(name, 0) for name in names] for counts in (baseline, current)], np.float64)


def _pooled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < LEAST_EXPECTED
    pooled = table[:, rare].sum(axis=1, keepdims=True)
    return np.concatenate([table[:, ~rare], pooled], axis=1) if pooled.sum() else table[:, ~rare]
