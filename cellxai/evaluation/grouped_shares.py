"""How certain a share is where images come in groups, such as the cells of an image.

Cells of one image resemble each other, so a thousand cells of ten images say less than a thousand
images. Wilson's interval then takes the number of independent images that would be as uncertain:
the effective sample size n / d, where the design effect d is the variance of the share over groups
divided by that of independent images (Kish 1965, ch. 8; Dean and Pagano 2015, Journal of Survey
Statistics and Methodology 3, who compare such intervals).
"""

import numpy as np
from jaxtyping import Bool, Int

from cellxai.evaluation.intervals import Interval, wilson, wilson_of_share


def share_interval(right: Bool[np.ndarray, " n"], units: Int[np.ndarray, " n"]) -> Interval | None:
    """95 % interval of the share that is right; ``None`` without images.

    Wilson's where every image is a unit of its own.

    Args:
        right: Whether each image is counted.
        units: The group of each image, or a number of its own.
    """
    groups = np.unique(units)
    if len(groups) == len(right):
        return wilson(int(right.sum()), len(right))
    return wilson_of_share(float(right.mean()), effective_size(right, units))


def effective_size(right: Bool[np.ndarray, " n"], units: Int[np.ndarray, " n"]) -> float:
    """The number of independent images that would be as uncertain as these in their groups.

    The variance over groups is that of a ratio, from the residuals that the groups sum up to (Kish
    1965, eq. 6.3.4). Never more than the images; the number of groups where it cannot be estimated:
    of a share of 0 or 1, and of one group.
    """
    n_images, share = len(right), float(right.mean())
    groups, of_image = np.unique(units, return_inverse=True)
    n_groups = len(groups)
    residuals = np.bincount(of_image, right - share)
    spread = float(residuals @ residuals) * n_groups / max(n_groups - 1, 1) / n_images**2
    if n_groups == 1 or not 0 < share < 1 or spread == 0:
        return float(n_groups)
    return min(share * (1 - share) / spread, float(n_images))
