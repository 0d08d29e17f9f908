"""How certain the difference of two shares is, of other images or of the same."""

from math import sqrt

import numpy as np
from jaxtyping import Bool, Int

from cellxai.intervals.level import NORMAL_QUANTILE, Interval
from cellxai.intervals.shares import effective_size


def difference_interval(
    first: float, of_first: Interval, second: float, of_second: Interval
) -> Interval:
    """95 % interval of second − first, of unrelated images, from the interval of each.

    Each side takes the squares of the distances that the two can recede by: Newcombe (1998,
    Statistics in Medicine 17, 873, method 10), for any two intervals Zou and Donner (2008, 27,
    1693).
    """
    difference = second - first
    down = sqrt((second - of_second[0]) ** 2 + (of_first[1] - first) ** 2)
    up = sqrt((of_second[1] - second) ** 2 + (first - of_first[0]) ** 2)
    return difference - down, difference + up


def paired_difference_interval(
    first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " n"], units: Int[np.ndarray, " n"]
) -> Interval:
    """95 % interval of the share of second − that of first, of the same images.

    Bonett and Price (2012, Journal of Educational and Behavioral Statistics 37, 479), who add an
    image to each kind of unequal pair; of images in groups, with their effective number.
    """
    unequal = second.astype(np.float64) - first
    n = effective_size(unequal, units) if len(np.unique(units)) < len(units) else len(units)
    gained, lost = ((float((unequal == sign).mean()) * n + 1) / (n + 2) for sign in (1, -1))
    difference = gained - lost
    half = NORMAL_QUANTILE * sqrt((gained + lost - difference**2) / (n + 2))
    return max(-1.0, difference - half), min(1.0, difference + half)
