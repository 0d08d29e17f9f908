"""Other 95 % intervals, to be measured beside those of `cellxai.intervals` by `bench_intervals.py`.

All are vectorised over replications; `tests/scripts/test_interval_methods.py` compares them with
SciPy and with a brute-force sum.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import norm, t

from cellxai.intervals.level import NORMAL_QUANTILE, TAIL
from cellxai.intervals.means import resampled_counts

Ends = tuple[Float[np.ndarray, " reps"], Float[np.ndarray, " reps"]]
Sample = Float[np.ndarray, "reps n"]


def student(values: Sample) -> Ends:
    """Mean ± Student's quantile × standard error."""
    n = values.shape[1]
    half = t.ppf(1 - TAIL, n - 1) * values.std(1, ddof=1) / np.sqrt(n)
    return values.mean(1) - half, values.mean(1) + half


def resampled_means(values: Sample) -> Float[np.ndarray, "reps r"]:
    """The mean in each bootstrap sample."""
    return values @ resampled_counts(values.shape[1]).T / values.shape[1]


def percentile(values: Sample) -> Ends:
    """The middle 95 % of the resampled means: what the tables had until now."""
    low, high = np.quantile(resampled_means(values), [TAIL, 1 - TAIL], axis=1)
    return low, high


def bca(values: Sample) -> Ends:
    """Bias-corrected and accelerated (Efron 1987)."""
    means, mean = resampled_means(values), values.mean(1, keepdims=True)
    below = (means < mean).mean(1) + (means == mean).mean(1) / 2
    bias = norm.ppf(np.clip(below, 1e-3, 1 - 1e-3))
    left = values - mean  # what leaving each out takes from the mean, up to a factor
    cubes, squares = (left**3).sum(1), (left**2).sum(1)
    acceleration = np.divide(cubes, 6 * squares**1.5, out=np.zeros_like(cubes), where=squares > 0)
    ordered = np.sort(means, 1)

    def end(z: float) -> Float[np.ndarray, " reps"]:
        shifted = bias + z
        share = norm.cdf(bias + shifted / (1 - acceleration * shifted))
        return np.array([
            np.quantile(row, s) for row, s in zip(ordered, share, strict=True)
        ])  # fmt: skip

    return end(-NORMAL_QUANTILE), end(NORMAL_QUANTILE)


MEANS: Mapping[str, Callable[[Sample], Ends]] = {
    "percentile": percentile, "BCa": bca, "t": student,
}  # fmt: skip


def wilson(share: Float[np.ndarray, " *s"], n: Float[np.ndarray, " *s"] | float) -> Ends:
    """Of a share of n independent images (Wilson 1927)."""
    z2 = NORMAL_QUANTILE**2 / n
    half = np.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)
    centre = (share + z2 / 2) / (1 + z2)
    return centre - half, centre + half


def delong_error(scores: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float:
    """Standard error of an AUROC from the placements of each score (DeLong et al. 1988)."""
    above, below = scores[positive][:, None], scores[~positive]
    wins = (above > below) + (above == below) / 2
    m, n = wins.shape
    return float(np.sqrt(wins.mean(1).var(ddof=1) / m + wins.mean(0).var(ddof=1) / n))


def logit_interval(figure: float, error: float) -> tuple[float, float]:
    """Symmetric on the scale of log-odds, by the delta method."""
    odds, spread = np.log(figure / (1 - figure)), error / (figure * (1 - figure))
    ends = odds + spread * np.array([-NORMAL_QUANTILE, NORMAL_QUANTILE])
    low, high = 1 / (1 + np.exp(-ends))
    return float(low), float(high)
