"""How well confidences separate strangers from known images: areas and an error rate, weighted.

OpenOOD's conventions (Yang et al. 2022, arXiv:2210.07242): strangers are the positives, and their
score is minus the confidence.
"""

import numpy as np
from jaxtyping import Bool, Float

from cellxai.evaluation.curves import ranks, weighted_auroc

RECALL = 0.95  # share of strangers flagged where the share of known images flagged is reported
ROUNDING = 1e-12  # relative error of sums of weights
MEASURES = ("auroc", "fpr95", "aupr_in", "aupr_out")

DEFINITION = (
    "unfamiliar images are positive, and their score is minus the confidence. auroc: the "
    "probability that an unfamiliar image scores above a known one, ties counted by half. fpr95: "
    "the share of known images flagged where 95 % of the unfamiliar ones are. aupr_out, aupr_in: "
    "average precision with the unfamiliar, or the known images as positives (OpenOOD joins the "
    "points by lines instead)."
)


def measure_separation(
    confidence: Float[np.ndarray, " n"],
    strange: Bool[np.ndarray, " n"],
    weights: Float[np.ndarray, "r n"],
) -> dict[str, Float[np.ndarray, " r"]]:
    """All measures in each of ``r`` resamples; NaN where one has no stranger or no known image.

    Args:
        confidence: How familiar each image seems.
        strange: Whether it is unfamiliar.
        weights: How often each image counts in each resample.
    """
    # An image for which a detector has no answer is as strange as can be.
    scores = -np.nan_to_num(confidence, nan=-np.inf, neginf=-np.finfo(float).max)
    scores = np.clip(scores, -np.finfo(float).max, np.finfo(float).max)
    return {
        "auroc": weighted_auroc(scores, strange, weights),
        "fpr95": false_positive_rate(scores, strange, weights),
        "aupr_in": average_precision(-scores, ~strange, weights),
        "aupr_out": average_precision(scores, strange, weights),
    }


def false_positive_rate(
    scores: Float[np.ndarray, " n"],
    positive: Bool[np.ndarray, " n"],
    weights: Float[np.ndarray, "r n"],
    recall: float = RECALL,
) -> Float[np.ndarray, " r"]:
    """Share of negatives at or above the highest score that finds ``recall`` of the positives."""
    true, false = weights_above(scores, positive, weights)
    enough = true >= (recall - ROUNDING) * true[:, -1:]
    share = np.take_along_axis(false, enough.argmax(1)[:, None], 1)[:, 0]
    n_negative = false[:, -1]
    defined = (n_negative > 0) & (true[:, -1] > 0)
    return np.divide(share, n_negative, out=np.full(len(weights), np.nan), where=defined)


def average_precision(
    scores: Float[np.ndarray, " n"],
    positive: Bool[np.ndarray, " n"],
    weights: Float[np.ndarray, "r n"],
) -> Float[np.ndarray, " r"]:
    """Σ (Rᵢ - Rᵢ₋₁) Pᵢ over the distinct scores, of weighted images."""
    true, false = weights_above(scores, positive, weights)
    flagged = true + false
    precision = np.divide(true, flagged, out=np.zeros_like(true), where=flagged > 0)
    gained = np.diff(true, prepend=0, axis=1)
    total, defined = true[:, -1], (true[:, -1] > 0) & (false[:, -1] > 0)
    area = (gained * precision).sum(1)
    return np.divide(area, total, out=np.full(len(weights), np.nan), where=defined)


def weights_above(
    scores: Float[np.ndarray, " n"],
    positive: Bool[np.ndarray, " n"],
    weights: Float[np.ndarray, "r n"],
) -> tuple[Float[np.ndarray, "r m"], Float[np.ndarray, "r m"]]:
    """Weight of the positives, and of the negatives, at or above each distinct score."""
    order, starts = ranks(scores)
    ordered, is_positive = weights[:, order], positive[order]
    true = np.add.reduceat(ordered * is_positive, starts, axis=1)
    false = np.add.reduceat(ordered * ~is_positive, starts, axis=1)
    return true.cumsum(1), false.cumsum(1)
