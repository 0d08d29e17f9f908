"""Whether a classifier is right as often on two sets of images, of the same things or of others."""

from math import sqrt
from typing import Any

import numpy as np
from jaxtyping import Bool
from scipy.stats import binomtest

from cellxai.evaluation.intervals import wilson

DEFINITION = (
    "paired, where the images have the ids and labels of judged images of the run: how many are "
    "right in one of the two alone, and the exact two-sided probability of counts so unequal if "
    "both were equally likely (McNemar 1947). unpaired: the difference of the accuracies with its "
    "95 % interval (Newcombe 1998, method 10), which takes all images for independent."
)


def compare_pairs(own: Bool[np.ndarray, " n"], other: Bool[np.ndarray, " n"]) -> dict[str, Any]:
    """Compares what is right of the same n images in two versions.

    Args:
        own: Whether each is right in the run's own version.
        other: Whether it is right in the other.
    """
    only_own, only_other = int((own & ~other).sum()), int((other & ~own).sum())
    n_unequal = only_own + only_other
    return {
        "kind": "paired",
        "n_images": len(own),
        "accuracy_of_run": float(own.mean()),
        "accuracy": float(other.mean()),
        "difference": float(other.mean() - own.mean()),
        "right_in_run_alone": only_own,
        "right_here_alone": only_other,
        "p_value": float(binomtest(only_own, n_unequal).pvalue) if n_unequal else 1.0,
    }


def compare_shares(own_right: int, n_own: int, other_right: int, n_other: int) -> dict[str, Any]:
    """Compares how many of unrelated images, at least one each, are right: Newcombe (1998)."""
    own, other = own_right / n_own, other_right / n_other
    own_interval, interval = wilson(own_right, n_own), wilson(other_right, n_other)
    assert own_interval is not None
    assert interval is not None
    (own_low, own_high), (low, high) = own_interval, interval
    difference = other - own
    return {
        "kind": "unpaired",
        "n_images": n_other,
        "accuracy_of_run": own,
        "accuracy": other,
        "difference": difference,
        "interval": [
            difference - sqrt((other - low) ** 2 + (own_high - own) ** 2),
            difference + sqrt((high - other) ** 2 + (own - own_low) ** 2),
        ],
    }
