"""How closely two names of the same things go together: Cramér's V and what fixes what."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy.optimize import brentq
from scipy.stats import ncx2

from cellxai.intervals.level import TAIL, Interval


@dataclass(frozen=True)
class Association:
    """Two categorical columns.

    Args:
        v: Cramér's V, corrected for bias (Bergsma 2013): 0 for nothing, 1 where one fixes the
            other.
        interval: 95 % interval, from the noncentral chi-squared distribution (Smithson 2003).
        rows_fix_columns: Whether each value of the first has one value of the second alone.
        columns_fix_rows: The reverse.
    """

    v: float
    interval: Interval
    rows_fix_columns: bool
    columns_fix_rows: bool


def associate(rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " n"]) -> Association:
    """How closely two columns go together, each of at least two values from 0 on without gaps."""
    counts = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(counts, (rows, columns), 1)
    n, shape = len(rows), np.array(counts.shape)
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / n
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    freedom = int(np.prod(shape - 1))
    corrected = shape - (shape - 1) ** 2 / max(n - 1, 1)
    phi2 = max(0.0, chi2 / n - freedom / max(n - 1, 1))
    most = float((corrected - 1).min())
    v = min(1.0, (phi2 / most) ** 0.5) if most > 0 else 0.0
    if chi2 / n > shape.min() - 1 - 1e-9:  # the most there is, which a correction would lower
        v = 1.0
    ends = (noncentrality(chi2, freedom, share) for share in (1 - TAIL, TAIL))
    low, high = (min(1.0, (end / (n * (shape.min() - 1))) ** 0.5) for end in ends)
    present = counts > 0
    return Association(
        v, (float(min(low, v)), float(max(high, v))),
        bool((present.sum(1) == 1).all()), bool((present.sum(0) == 1).all()),
    )  # fmt: skip


def noncentrality(chi2: float, freedom: int, share: float) -> float:
    """The noncentrality under which a share of all values is below ``chi2``; 0 where none is."""

    def excess(noncentral: float) -> float:
        return float(ncx2.cdf(chi2, freedom, noncentral)) - share

    if chi2 <= 0 or excess(1e-9) <= 0:
        return 0.0
    high = 2 * chi2 + 10 * freedom + 10
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 1e-9, high))  # pyright: ignore[reportArgumentType]
