"""Embeddings of images: their principal components, and whether two sets come from one distribution (MMD)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 64
"""Principal components at most; fewer images than ten for each get fewer."""
MOST_ROWS = 500
"""Embeddings of each side in the test, whose cost is quadratic."""
PERMUTATIONS = 999
_FITTED_ROWS = 5_000
_OVERSAMPLING, _ITERATIONS = 10, 5


@dataclass(frozen=True)
class EmbeddingBaseline:
    """Where the embeddings of a model's own images lie; all arrays float32."""

    origin: NDArray[np.float32]
    """(D,): what is subtracted before the projection."""
    basis: NDArray[np.float32]
    """(D, P), orthonormal. float16 when stored, like `sample`."""
    mean: NDArray[np.float32]
    """(P,) of the projected embeddings."""
    covariance: NDArray[np.float32]
    """(P, P) of the projected embeddings."""
    sample: NDArray[np.float32]
    """(s, P): projected embeddings, at most `MOST_ROWS`."""
    images: int
    """That `mean` is of."""

    @property
    def is_consistent(self) -> bool:
        """Whether the shapes fit together, and the embeddings vary."""
        if self.basis.ndim != 2 or min(self.basis.shape) < 1 or self.images < 1:
            return False
        width, size = self.basis.shape
        shapes = (self.origin.shape, self.mean.shape, self.covariance.shape)
        is_sample = self.sample.ndim == 2 and self.sample.shape[1] == size and len(self.sample) > 1
        fit = is_sample and shapes == ((width,), (size,), (size, size))
        return fit and bool(np.trace(self.covariance) > 0)

    def project(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the coordinates (n, P) of embeddings (n, D)."""
        return ((embeddings - self.origin) @ self.basis).astype(np.float32)

    def mean_shift(self, projected: NDArray[np.float32]) -> float:
        """Return the Mahalanobis distance between the means, in standard deviations.

        Its square is reduced by what two samples of one distribution would differ, P (1/n + 1/m).
        """
        size = len(self.mean)
        ridge = 1e-3 * np.trace(self.covariance) / size
        difference = projected.mean(axis=0).astype(np.float64) - self.mean
        inverse = np.linalg.inv(self.covariance.astype(np.float64) + ridge * np.eye(size))
        squared = difference @ inverse @ difference - size * (1 / len(projected) + 1 / self.images)
        return float(np.sqrt(max(squared, 0.0)))


def fit(held_out: NDArray[np.float32], training: NDArray[np.float32] | None, seed: int = 0) -> EmbeddingBaseline | None:
    """Fit the baseline; None with fewer than 20 images, and where all embeddings are the same.

    Basis and covariance are of all embeddings; mean and sample of the held-out ones, since training may have moved the
    others, unless they are fewer than 100.

    Args:
        held_out: (n, D).
        training: (m, D), if any.
        seed: Of the rows that are drawn.
    """
    everything = held_out if training is None else np.concatenate([held_out, training])
    size = min(COMPONENTS, len(everything) // 10, everything.shape[1])
    if size < 2:
        return None
    own = held_out if len(held_out) >= 100 else everything
    origin, basis = _principal_components(_drawn(everything, _FITTED_ROWS, seed), size, seed)
    covariance = np.cov((everything - origin) @ basis, rowvar=False).astype(np.float32)
    if not np.trace(covariance) > 0:
        return None
    coordinates = np.asarray((own - origin) @ basis, np.float32)
    return EmbeddingBaseline(
        origin=origin,
        basis=basis,
        mean=coordinates.mean(axis=0),
        covariance=covariance,
        sample=_drawn(coordinates, MOST_ROWS, seed),
        images=len(own),
    )


def _principal_components(
    rows: NDArray[np.float32], size: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean (D,) of rows (n, D), and their first `size` principal components (D, size), nearly.

    Halko, Martinsson and Tropp, Finding structure with randomness (2011), algorithm 4.4: subspace iteration.
    """
    origin = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = rows - origin
    width = min(size + _OVERSAMPLING, *rows.shape)
    basis = np.random.default_rng(seed).standard_normal((rows.shape[1], width), np.float32)
    for _ in range(_ITERATIONS):
        basis = np.linalg.qr(centred.T @ (centred @ np.linalg.qr(basis)[0]))[0]
    components = np.linalg.svd(centred @ basis, full_matrices=False)[2]
    return origin, np.ascontiguousarray(basis @ components[:size].T)


def mmd_test(first: NDArray[np.float32], second: NDArray[np.float32], seed: int = 0) -> tuple[float, float]:
    """Return the unbiased squared maximum mean discrepancy of two samples (n, P), and its p-value by permutation.

    Gretton et al., A kernel two-sample test (2012): Gaussian kernel exp(-d² / m), m the median squared distance of the
    pooled sample. Of each sample at most `MOST_ROWS` rows count.
    """
    first, second = _drawn(first, MOST_ROWS, seed), _drawn(second, MOST_ROWS, seed)
    pooled = np.concatenate([first, second]).astype(np.float64)
    squares = (pooled**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * pooled @ pooled.T, 0)
    scale = float(np.median(distances[np.triu_indices(len(pooled), 1)]))
    kernel = np.exp(-distances / (scale if scale > 0 else 1.0))
    np.fill_diagonal(kernel, 0)
    members = np.zeros((len(pooled), PERMUTATIONS + 1))
    members[: len(first), 0] = 1
    random = np.random.default_rng(seed)
    for column in range(1, PERMUTATIONS + 1):
        members[random.permutation(len(pooled))[: len(first)], column] = 1
    found = _mmd(kernel, members, len(first), len(second))
    return float(found[0]), float((found >= found[0] - 1e-12).sum() / (PERMUTATIONS + 1))


def _mmd(kernel: NDArray[np.float64], members: NDArray[np.float64], n: int, m: int) -> NDArray[np.float64]:
    """Return the squared discrepancy for each column of `members`, which marks the rows of the first sample."""
    sums = kernel @ members
    within = (members * sums).sum(axis=0)
    across = ((1 - members) * sums).sum(axis=0)
    rest = kernel.sum() - within - 2 * across
    found: NDArray[np.float64] = within / (n * (n - 1)) + rest / (m * (m - 1)) - 2 * across / (n * m)
    return found


def _drawn(rows: NDArray[np.float32], limit: int, seed: int) -> NDArray[np.float32]:
    if len(rows) <= limit:
        return rows
    drawn: NDArray[np.float32] = rows[np.sort(np.random.default_rng(seed).choice(len(rows), limit, replace=False))]
    return drawn
