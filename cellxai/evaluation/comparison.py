"""Whether a classifier is right as often on two sets of images, of the same things or of others."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from scipy.stats import binomtest

from cellxai.intervals.differences import difference_interval, paired_difference_interval
from cellxai.intervals.level import Interval

DEFINITION = (
    "paired, where the images have the ids and labels of judged images of the run: how many are "
    "right in one of the two alone, and the exact two-sided probability of counts so unequal if "
    "both were equally likely (McNemar 1947), which takes all images for independent. unpaired: "
    "the difference of the accuracies. Its 95 % interval: paired, Bonett and Price (2012), by the "
    "effective number of images where they are in groups; unpaired, from that of each (Newcombe "
    "1998, method 10)."
)


def compare_pairs(
    own: Bool[np.ndarray, " n"], other: Bool[np.ndarray, " n"], units: Int[np.ndarray, " n"]
) -> dict[str, Any]:
    """Compares what is right of the same n images in two versions.

    Args:
        own: Whether each is right in the run's own version.
        other: Whether it is right in the other.
        units: The group of each, or a number of its own.
    """
    only_own, only_other = int((own & ~other).sum()), int((other & ~own).sum())
    n_unequal = only_own + only_other
    return {
        "kind": "paired",
        "n_images": len(own),
        "accuracy_of_run": float(own.mean()),
        "accuracy": float(other.mean()),
        "difference": float(other.mean() - own.mean()),
        "interval": paired_difference_interval(own, other, units),
        "right_in_run_alone": only_own,
        "right_here_alone": only_other,
        "p_value": float(binomtest(only_own, n_unequal).pvalue) if n_unequal else 1.0,
    }


def compare_shares(
    own: float, of_own: Interval, other: float, of_other: Interval, n_other: int
) -> dict[str, Any]:
    """Compares how many of unrelated images are right, from both accuracies and their intervals."""
    return {
        "kind": "unpaired",
        "n_images": n_other,
        "accuracy_of_run": own,
        "accuracy": other,
        "difference": other - own,
        "interval": difference_interval(own, of_own, other, of_other),
    }
