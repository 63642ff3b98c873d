"""A curve in one line of text, such as ▁▃▅▇█."""

import itertools
from collections.abc import Sequence

_LEVELS = "▁▂▃▄▅▆▇█"


def of(values: Sequence[float], columns: int) -> str:
    """Return the curve of values in order, from their smallest to their largest.

    Args:
        values: Finite numbers.
        columns: The largest number of characters; neighbours of more values share one, which stands for their mean.

    Returns:
        At most `columns` block elements (U+2581 to U+2588), those of equal values half as high as a character; empty
        without at least two values and two columns.
    """
    if min(len(values), columns) < 2:
        return ""
    count = min(len(values), columns)
    edges = [len(values) * column // count for column in range(count + 1)]
    means = [sum(values[begin:end]) / (end - begin) for begin, end in itertools.pairwise(edges)]
    lowest, highest = min(means), max(means)
    if lowest == highest:
        return _LEVELS[len(_LEVELS) // 2 - 1] * count
    scale = (len(_LEVELS) - 1) / (highest - lowest)
    return "".join(_LEVELS[round((mean - lowest) * scale)] for mean in means)
