"""How certain a median is, whatever the law of the values."""

import numpy as np
from jaxtyping import Float
from scipy.stats import binom

from cellxai.intervals.level import TAIL, Interval


def median_interval(values: Float[np.ndarray, " n"]) -> Interval | None:
    """Two of the values, between which the median lies in at least 95 % of samples.

    The number of values below the median is binomial (Thompson 1936, Annals of Mathematical
    Statistics 7, 122). ``None`` of fewer than six, which say that little.

    Args:
        values: Independent of each other, none NaN.
    """
    n_beyond = int(binom.ppf(TAIL, len(values), 0.5))  # on either side of the interval
    if n_beyond < 1 or binom.cdf(n_beyond - 1, len(values), 0.5) > TAIL:
        return None
    ordered = np.sort(values)
    return float(ordered[n_beyond - 1]), float(ordered[-n_beyond])
