"""cleanlab's own label issues, with ties decided by row: its unstable sort decides them otherwise on each machine."""

import functools
import warnings

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray


def find(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (n,): what cleanlab lists by its defaults, of class indices (n,) and probabilities (n, K)."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.filterwarnings("ignore", "May not flag all label issues in class", UserWarning)
        patch.setattr(np, "argsort", functools.partial(np.argsort, kind="stable"))
        return np.asarray(find_label_issues(labels, probabilities, n_jobs=1), bool)
