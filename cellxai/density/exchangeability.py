"""Whether a view treats the images that a network was trained on as it treats others."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import mannwhitneyu

REJECTED_BELOW = 0.01  # probability of the test below which training images are no calibration


def remembers(
    surprise: Float[np.ndarray, " n"],
    trained: Bool[np.ndarray, " n"],
    units: Int[np.ndarray, " n"],
) -> bool:
    """Whether images that a network was trained on surprise a view less than held-out ones.

    Each surprise is that of a density that was not fitted to the image, so what is left is the
    network's memory. One-sided test of Mann and Whitney (1947, doi:10.1214/aoms/1177730491), of the
    mean log surprise of each group where there are groups.

    Args:
        surprise: Surprise of each image.
        trained: Whether the network was trained on it.
        units: The group of each image, or the image itself.
    """
    logs = np.log(np.maximum(surprise, 1e-12))
    means = [
        np.array([logs[(units == unit) & part].mean() for unit in np.unique(units[part])])
        for part in (trained, ~trained)
    ]
    if not len(means[0]) or not len(means[1]):
        return False
    return bool(mannwhitneyu(means[1], means[0], alternative="greater").pvalue < REJECTED_BELOW)
