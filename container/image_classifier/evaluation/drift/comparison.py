"""Compare production with the baseline: one test for each feature, corrected for their number, with effect sizes.

A feature has drifted if its test is significant and its effect is large enough to matter: with many images a
negligible change is significant, with few a large one may be chance.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation import wording
from image_classifier.evaluation.drift import distances, embedding, label_shift
from image_classifier.evaluation.drift.baseline import Baseline
from image_classifier.evaluation.drift.label_shift import LabelShift
from image_classifier.evaluation.drift.profile import PREDICTED_LABEL, Profile
from image_classifier.evaluation.statistics import discoveries

LEAST_IMAGES = 30
"""Images of production below which nothing is compared."""
EMBEDDING = "embedding"
EVERYTHING = "everything"
"""In `Comparison.left_out`, where there are too few images."""


class Method(StrEnum):
    """How a feature is tested."""

    KOLMOGOROV_SMIRNOV = "Kolmogorov-Smirnov"
    CHI_SQUARED = "chi-squared"
    MMD = "maximum mean discrepancy"


class Effect(StrEnum):
    """In which unit the size of a change is given."""

    PSI = "population stability index"
    TOTAL_VARIATION = "total variation distance"
    MEAN_SHIFT = "mean shift in standard deviations"


@dataclass(frozen=True)
class Thresholds:
    """Effects from which a significant change counts as drift, and the false discovery rate of the tests."""

    psi: float = 0.2
    """The convention of credit scoring: 0.1 to 0.2 is watched, from 0.2 on the population has shifted."""
    total_variation: float = 0.1
    """One image in ten has another category."""
    mean_shift: float = 0.5
    """Cohen's medium effect."""
    rate: float = 0.02
    """At most seven daily comparisons of a year raise an alarm without drift. The permutations allow no lower rate."""


DEFAULT = Thresholds()


@dataclass(frozen=True)
class Check:
    """One feature, compared."""

    feature: str
    test: Method
    statistic: float
    p_value: float
    """Before the correction for the number of tests."""
    kind: Effect
    effect: float
    threshold: float
    significant: bool = False
    """Whether the procedure of Benjamini and Hochberg rejects it among all checks."""
    detail: str = ""
    """One line without a full stop, such as "median 0.31, baseline 0.52"."""

    @property
    def drifted(self) -> bool:
        """Whether it is both significant and large."""
        return self.significant and self.effect >= self.threshold

    @property
    def relative_effect(self) -> float:
        """Effect by threshold; infinite for a threshold of 0, which constraints of Model Monitor may have."""
        return self.effect / self.threshold if self.threshold > 0 else math.inf


@dataclass(frozen=True)
class Comparison:
    """Production, compared with the baseline."""

    images: int
    baseline_images: int
    checks: tuple[Check, ...] = ()
    """Drifted ones first, then by the ratio of effect to threshold."""
    label_shift: LabelShift | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Feature to reason, without a full stop."""
    rate: float = DEFAULT.rate
    """False discovery rate of the checks."""

    @property
    def drifted(self) -> tuple[Check, ...]:
        """The features that drifted."""
        return tuple(check for check in self.checks if check.drifted)

    @property
    def is_conclusive(self) -> bool:
        """Whether there were enough images to compare anything."""
        return bool(self.checks)


def compare(
    baseline: Baseline,
    current: Profile,
    embeddings: NDArray[np.float32] | None = None,
    thresholds: Thresholds = DEFAULT,
    seed: int = 0,
) -> Comparison:
    """Compare a profile, and embeddings (m, D) where some were captured, with the baseline."""
    if current.images < LEAST_IMAGES:
        few = f"{wording.counted(current.images, 'image')} can be compared, and at least {LEAST_IMAGES} are needed"
        return Comparison(current.images, baseline.profile.images, left_out={EVERYTHING: few}, rate=thresholds.rate)
    left_out: dict[str, str] = {}
    checks = _scalars(baseline.profile, current, thresholds, left_out)
    checks += _categories(baseline.profile, current, thresholds, left_out)
    checks += _embedding(baseline, embeddings, thresholds, left_out, seed)
    found = discoveries([check.p_value for check in checks], thresholds.rate)
    judged = [replace(check, significant=one) for check, one in zip(checks, found, strict=True)]
    judged.sort(key=lambda check: (not check.drifted, -check.relative_effect))
    shift = _shift(baseline, current)
    return Comparison(current.images, baseline.profile.images, tuple(judged), shift, left_out, thresholds.rate)


def shown(value: float) -> str:
    """Return a scalar with three significant digits, whole numbers in full: `0.31`, `2,906`."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _scalars(baseline: Profile, current: Profile, thresholds: Thresholds, left_out: dict[str, str]) -> list[Check]:
    checks = []
    for name, before in baseline.scalars.items():
        now = current.scalars.get(name)
        if now is None or now.total < LEAST_IMAGES:
            left_out[name] = _too_few(now.total if now else 0)
            continue
        statistic, p_value = distances.kolmogorov_smirnov(before, now)
        effect = distances.population_stability(before, now)
        detail = f"median {shown(now.median)}, baseline {shown(before.median)}"
        checks.append(
            Check(
                name,
                Method.KOLMOGOROV_SMIRNOV,
                statistic,
                p_value,
                Effect.PSI,
                effect,
                thresholds.psi,
                detail=detail,
            )
        )
    return checks


def _categories(baseline: Profile, current: Profile, thresholds: Thresholds, left_out: dict[str, str]) -> list[Check]:
    checks = []
    for name, before in baseline.categories.items():
        now = current.categories.get(name, {})
        total = sum(now.values())
        if total < LEAST_IMAGES:
            left_out[name] = _too_few(total)
            continue
        statistic, p_value = distances.chi_squared(before, now)
        effect = distances.total_variation(before, now)
        kind, limit = Effect.TOTAL_VARIATION, thresholds.total_variation
        check = Check(name, Method.CHI_SQUARED, statistic, p_value, kind, effect, limit, detail=_largest(before, now))
        checks.append(check)
    return checks


def _too_few(images: int) -> str:
    having = {0: "no captured image has", 1: "1 captured image has"}.get(images, f"{images} captured images have")
    return f"{having} it, and at least {LEAST_IMAGES} are needed"


def _largest(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """Describe the category whose share changed most."""
    totals = sum(before.values()), sum(now.values())
    shares = {name: (before.get(name, 0) / totals[0], now.get(name, 0) / totals[1]) for name in (*before, *now)}
    name = max(shares, key=lambda one: abs(shares[one][0] - shares[one][1]))
    was, now_is = map(wording.percent, shares[name])
    return f"{wording.quoted(name)} {now_is}, baseline {was}"


def _embedding(
    baseline: Baseline,
    embeddings: NDArray[np.float32] | None,
    thresholds: Thresholds,
    left_out: dict[str, str],
    seed: int,
) -> list[Check]:
    found = baseline.embedding
    if found is None:
        left_out[EMBEDDING] = "the baseline has no embeddings"
    elif embeddings is None or len(embeddings) < LEAST_IMAGES:
        few = _too_few(0 if embeddings is None else len(embeddings))
        left_out[EMBEDDING] = f"{few}; clients request it with Accept: …;embedding"
    elif embeddings.shape[1] != len(found.origin):
        left_out[EMBEDDING] = f"captured ones have {embeddings.shape[1]} numbers, the baseline's {len(found.origin)}"
    else:
        projected = found.project(embeddings)
        statistic, p_value = embedding.mmd_test(found.sample, projected, seed)
        shift = found.mean_shift(projected)
        detail = f"{len(embeddings)} embeddings, baseline {found.images}"
        kind, limit = Effect.MEAN_SHIFT, thresholds.mean_shift
        return [Check(EMBEDDING, Method.MMD, statistic, p_value, kind, shift, limit, detail=detail)]
    return []


def _shift(baseline: Baseline, current: Profile) -> LabelShift | None:
    answers = current.categories.get(PREDICTED_LABEL, {})
    if baseline.confusion is None or sum(answers.values()) < LEAST_IMAGES:
        return None
    counts = np.array([answers.get(name, 0) for name in baseline.class_names], np.int64)
    return label_shift.estimate(baseline.confusion, counts, baseline.class_names)
