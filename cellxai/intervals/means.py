"""How certain the mean over units is: over images, wells or plates.

The interval is studentised: resamples of the units say how far their mean lies from the true one in
units of its own standard error (bootstrap-t; Efron 1979; Hall 1992, ch. 3), and each side reaches
at least as far as Student's. Scores with a long tail need the first, few units or ties the second:
percentiles of the resampled means, and BCa, hold the mean of 20 skewed scores in 85 to 92 % of
cases where 95 are said. `scripts/bench_intervals.py` measures all of them.
"""

from functools import lru_cache
from math import sqrt

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from cellxai.intervals.level import TAIL, Interval
from cellxai.intervals.shares import share_interval

N_RESAMPLES = 2000
MOST_RESAMPLED = 1000  # units; of more, Student's interval holds a lognormal mean as often
SAME = 1e-12  # relative; equal values may differ in their last bits


def mean_interval(
    values: Float[np.ndarray, " n"], least: float = -np.inf, most: float = np.inf
) -> Interval | None:
    """95 % interval of the mean of independent units.

    Zeros and ones alone, of what lies between these, are a share, with the interval of one.
    ``None`` of fewer than two units, and where all others are equal, which is no certainty.

    Args:
        values: One per unit, none NaN, in any order.
        least: The smallest mean that is possible.
        most: The largest.
    """
    if len(values) < 2:
        return None
    if (least, most) == (0, 1) and np.isin(values, (0, 1)).all():
        return share_interval(int(values.sum()), len(values))
    if np.ptp(values) <= SAME * np.abs(values).max():
        return None
    mean, error = float(values.mean()), float(values.std(ddof=1)) / sqrt(len(values))
    below, above = studentised_quantiles(values)
    return max(least, mean - above * error), min(most, mean - below * error)


def studentised_quantiles(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Quantiles of (mean − true mean) / standard error, no nearer to 0 than Student's."""
    student = float(stdtrit(len(values) - 1, 1 - TAIL))
    if len(values) > MOST_RESAMPLED:
        return -student, student
    low, high = np.quantile(studentised_means(values), [TAIL, 1 - TAIL])
    return min(-student, float(low)), max(student, float(high))


def studentised_means(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " r"]:
    """(Resampled mean − mean) / its standard error; resamples of equal values are left out."""
    n = len(values)
    ordered = np.sort(values)  # the order of the units must not matter
    centred = ordered - ordered.mean()
    centred /= np.abs(centred).max()
    means, squares = (resampled_counts(n) @ np.column_stack([centred, centred**2]) / n).T
    variance = np.maximum(squares - means**2, 0)
    known = variance > SAME
    return means[known] / np.sqrt(variance[known] / (n - 1))


@lru_cache(maxsize=4)  # a table asks for the same number of images again and again
def resampled_counts(n_units: int) -> Float[np.ndarray, "r n"]:
    """How often each unit is drawn in each resample."""
    shares = np.full(n_units, 1 / n_units)
    return np.random.default_rng(0).multinomial(n_units, shares, N_RESAMPLES).astype(np.float64)
