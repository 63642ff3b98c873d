"""Fisher's exact test of two proportions. Apart from `statistics`, which the console imports without NumPy."""

import numpy as np

from image_classifier.evaluation.statistics import Proportion


def difference_p_value(first: Proportion, second: Proportion) -> float:
    """Return the two-sided p-value of Fisher's exact test (1935) that two proportions are of one share.

    The sum of the probabilities of all tables with the same margins that are no more likely than the given one.
    """
    # Not scipy.stats, whose import takes longer than all tests of a report.
    from scipy.special import gammaln

    total, successes = first.total + second.total, first.count + second.count
    counts = np.arange(max(0, successes - second.total), min(first.total, successes) + 1)
    cells = (counts, first.total - counts, successes - counts, second.total - successes + counts)
    logarithms = -sum(gammaln(cell + 1.0) for cell in cells)
    margins = gammaln(np.array([first.total, second.total, successes, total - successes]) + 1.0).sum()
    likelihoods = np.exp(logarithms + margins - gammaln(total + 1.0))
    # Tables that are as likely as the given one differ from it by rounding.
    is_extreme = likelihoods <= likelihoods[first.count - counts[0]] * (1 + 1e-7)
    return min(float(likelihoods[is_extreme].sum()), 1.0)
