"""Embeddings: principal components, the kernel test, and the size of a shift."""

import numpy as np
import pytest

from image_classifier.evaluation.drift import embedding

RANDOM = np.random.default_rng(1)


def features(count: int, shift: float = 0.0) -> np.ndarray:
    """Return features (n, 40) that lie near a space of five dimensions."""
    hidden = RANDOM.normal(size=(count, 5)) + shift
    mixed = hidden @ np.random.default_rng(2).normal(size=(5, 40))
    return (mixed + 0.1 * RANDOM.normal(size=(count, 40))).astype(np.float32)


def test_kernel_test_of_one_distribution_has_uniform_p_values() -> None:
    """Given 60 pairs of samples of one distribution -> about 5 % of the p-values are below 0.05."""
    p_values = [embedding.mmd_test(features(60), features(40), seed)[1] for seed in range(60)]
    assert np.mean(np.array(p_values) <= 0.05) < 0.15
    assert 0.3 < np.mean(p_values) < 0.7


def test_kernel_test_finds_a_shift_and_another_spread() -> None:
    """Given samples with another mean, or the same mean and half the spread -> the least p-value that 999 allow."""
    before = features(200)
    assert embedding.mmd_test(before, features(100, shift=1.0))[1] == 0.001
    assert embedding.mmd_test(before, features(200) * np.float32(0.5))[1] == 0.001


def test_statistic_is_the_unbiased_estimate() -> None:
    """Given small samples -> the statistic is the mean of the kernels, written out."""
    first, second = features(6), features(5)
    pooled = np.concatenate([first, second]).astype(np.float64)
    distances = ((pooled[:, None] - pooled[None]) ** 2).sum(axis=-1)
    kernel = np.exp(-distances / np.median(distances[np.triu_indices(11, 1)]))
    np.fill_diagonal(kernel, 0)
    expected = kernel[:6, :6].sum() / 30 + kernel[6:, 6:].sum() / 20 - 2 * kernel[:6, 6:].mean()
    assert embedding.mmd_test(first, second)[0] == pytest.approx(expected, rel=1e-4)


def test_mean_shift_is_in_standard_deviations() -> None:
    """Given a mean that moved by one standard deviation in each of five directions -> its length, sqrt(5)."""
    fitted = embedding.fit(features(400), features(2000))
    assert fitted is not None
    assert fitted.basis.shape[1] == 40
    few = embedding.fit(features(30), features(20))
    assert few is not None
    assert few.basis.shape[1] == 5
    assert few.mean_shift(few.project(features(300, shift=1.0))) == pytest.approx(np.sqrt(5), rel=0.35)


def test_mean_shift_of_the_same_distribution_is_small() -> None:
    """Given 100 further images of one distribution -> below the threshold of 0.5, whatever the number of components."""
    fitted = embedding.fit(features(400), None)
    assert fitted is not None
    found = [fitted.mean_shift(fitted.project(features(100))) for _ in range(20)]
    assert max(found) < 0.5


def test_too_few_images_have_no_baseline() -> None:
    """Given 19 images -> no baseline, since two components need twenty."""
    assert embedding.fit(features(19), None) is None


@pytest.mark.parametrize("rows", [40, 300, 2000])
def test_the_basis_is_that_of_principal_components(rows: int) -> None:
    """Features whose variance falls slowly -> as much of it as the exact components keep, and orthonormal columns."""
    rng = np.random.default_rng(rows)
    features = (rng.normal(size=(rows, 200)) / np.sqrt(1 + np.arange(200)) + 3).astype(np.float32)
    fitted = embedding.fit(features, None)
    assert fitted is not None
    size = fitted.basis.shape[1]
    np.testing.assert_allclose(fitted.basis.T @ fitted.basis, np.eye(size), atol=1e-5)
    exact = np.linalg.svd(features - features.mean(axis=0), compute_uv=False)[:size]
    assert (fitted.project(features) ** 2).sum() == pytest.approx((exact**2).sum(), rel=0.005)


def test_embeddings_that_are_all_the_same_have_no_baseline() -> None:
    """Given a network that answers every image alike -> no baseline: nothing can be told from it."""
    assert embedding.fit(np.full((100, 40), 0.1, np.float32), None) is None
