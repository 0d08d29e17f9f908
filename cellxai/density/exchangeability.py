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
    means = [mean_of_units(logs[part], units[part]) for part in (trained, ~trained)]
    if not len(means[0]) or not len(means[1]):
        return False
    return bool(mannwhitneyu(means[1], means[0], alternative="greater").pvalue < REJECTED_BELOW)


def mean_of_units(
    values: Float[np.ndarray, " n"], units: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " u"]:
    """The mean of the values of each unit."""
    numbers = np.unique(units, return_inverse=True)[1]
    return np.bincount(numbers, values) / np.bincount(numbers)
