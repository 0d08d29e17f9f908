"""How certain a share is: of independent images, or of images that come in groups.

The interval is the mid-P version of Clopper and Pearson's: the shares from which neither so many
nor so few images are improbable, where the count seen itself is counted by half (Lancaster 1961,
JASA 56; Berry and Armitage 1995, The Statistician 44). Over all shares it holds 95 to 98 % and
hardly ever less than 93 %; Wilson's falls to 84 % where nearly all images are right, which is where
classifiers are. `scripts/bench_intervals.py` measures both.

Cells of one image resemble each other, so a thousand cells of ten images say less than a thousand
images. The interval then takes the number of independent images that would be as uncertain: the
effective sample size n / d, where the design effect d is the variance of the share over groups
divided by that of independent images (Kish 1965, ch. 8), made smaller for what few groups say of
that variance (Korn and Graubard 1998, Survey Methodology 24).
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy.optimize import brentq
from scipy.special import betainc, stdtrit

from cellxai.intervals.level import NORMAL_QUANTILE, TAIL, Interval

NEAR = 1e-12  # a share that rounding alone keeps from 0 or 1


def share_interval(n_right: int, n_images: int) -> Interval | None:
    """95 % interval of a share of independent images; ``None`` without images."""
    return interval_of_share(n_right / n_images, float(n_images)) if n_images else None


def interval_of_share(share: float, n_images: float) -> Interval:
    """95 % interval of a share of so many independent images, which need not be a whole number."""
    low = 0.0 if share < NEAR else _share_with(TAIL, share, n_images)
    return low, 1.0 if share > 1 - NEAR else _share_with(1 - TAIL, share, n_images)


def grouped_share_interval(
    right: Bool[np.ndarray, " n"], units: Int[np.ndarray, " n"]
) -> Interval | None:
    """95 % interval of the share that is right; ``None`` without images.

    Args:
        right: Whether each image is counted.
        units: The group of each image, or a number of its own.
    """
    n_groups = len(np.unique(units))
    if n_groups == len(right):
        return share_interval(int(right.sum()), len(right))
    share = float(right.mean())
    return interval_of_share(share, effective_size(right, units))


def effective_size(values: Shaped[np.ndarray, " n"], units: Int[np.ndarray, " n"]) -> float:
    """The number of independent images that would be as uncertain as these in their groups.

    The variance over groups is that of a ratio, from the residuals that the groups sum up to (Kish
    1965, eq. 6.3.4). Never more than the images; the number of groups where it cannot be estimated:
    of equal values, and of one group.

    Args:
        values: What is averaged: whether an image is right, or by how much it differs.
        units: The group of each image.
    """
    groups, of_image = np.unique(units, return_inverse=True)
    n_groups = len(groups)
    residuals: Float[np.ndarray, " g"] = np.bincount(of_image, values - values.mean())
    variance = float(residuals @ residuals) * n_groups / max(n_groups - 1, 1) / len(values) ** 2
    if n_groups == 1 or variance == 0:
        return float(n_groups)
    return min(size_for_variance(float(values.var()), variance, n_groups), float(len(values)))


def size_for_variance(of_image: float, variance: float, n_groups: int | None = None) -> float:
    """The number of independent images whose mean would have such a variance.

    Args:
        of_image: Variance of one image: p (1 − p) of a share or another figure p in [0, 1].
        variance: Variance of the mean.
        n_groups: The number of groups that it was estimated from: few know it badly, and the size
            is reduced by the square of the normal's over Student's quantile. ``None`` of images
            that are independent, whose variance p itself says.
    """
    if n_groups is None:
        return of_image / variance
    student = float(stdtrit(max(n_groups - 1, 1), 1 - TAIL))
    return of_image / variance * (NORMAL_QUANTILE / student) ** 2


def _share_with(probability: float, share: float, n_images: float) -> float:
    """The share under which that is the mid-P probability of as many right images, or more."""

    def excess(p: float) -> float:
        return _at_least(p, share * n_images, n_images) - probability

    return float(brentq(excess, 0.0, 1.0))  # pyright: ignore[reportArgumentType]


def _at_least(p: float, n_right: float, n_images: float) -> float:
    """Probability of more right images than seen, and half that of just as many.

    The binomial law as an incomplete beta function, which takes numbers that are not whole.
    """
    n_wrong = n_images - n_right
    all_of_them = n_right < NEAR * n_images
    as_many = 1.0 if all_of_them else float(betainc(n_right, n_wrong + 1, p))
    none = n_wrong < NEAR * n_images
    more = 0.0 if none else float(betainc(n_right + 1, n_wrong, p))
    return (as_many + more) / 2
