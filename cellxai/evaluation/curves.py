"""ROC and precision-recall, each class against all others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class ClassCurve:
    """One class against the rest, at every threshold that tells two images apart.

    Args:
        name: Name of the class.
        n_positive: Number of images of the class.
        n_negative: Number of images of all other classes.
        thresholds: Thresholds in descending order; the first is infinite, so nothing is positive.
        false_positive_rate: Share of the negatives at or above the threshold.
        recall: Share of the positives at or above the threshold: the true positive rate.
        precision: Share of positives among the images at or above the threshold; 1 where there are
            none.
    """

    name: str
    n_positive: int
    n_negative: int
    thresholds: Float[np.ndarray, " m"]
    false_positive_rate: Float[np.ndarray, " m"]
    recall: Float[np.ndarray, " m"]
    precision: Float[np.ndarray, " m"]

    @property
    def problem(self) -> str:
        """Why the class has no curves; empty where it has."""
        if self.n_positive and self.n_negative:
            return ""
        lacking = "of this class" if self.n_negative else "of any other class"
        return f"no image {lacking} in this part"

    @property
    def auroc(self) -> float | None:
        """Area under the ROC curve by the trapezoidal rule; ``None`` where there is a problem."""
        if self.problem:
            return None
        steps, recall = np.diff(self.false_positive_rate), self.recall
        return float((steps * (recall[1:] + recall[:-1]) / 2).sum())

    @property
    def average_precision(self) -> float | None:
        """Precision weighted by the gain in recall, not interpolated; ``None`` with a problem."""
        if self.problem:
            return None
        return float((np.diff(self.recall) * self.precision[1:]).sum())


def class_curve(
    name: str, scores: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]
) -> ClassCurve:
    """Counts positives and negatives above each distinct score."""
    order, starts = ranks(scores)
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    called = positive[order].astype(np.float64)
    above = np.append(starts[1:], len(scores))
    true = np.append(0.0, np.cumsum(called)[above - 1])
    false = np.append(0.0, above) - true
    return ClassCurve(
        name,
        n_positive,
        n_negative,
        np.append(np.inf, scores[order][starts]),
        false / max(n_negative, 1),
        true / max(n_positive, 1),
        np.append(1.0, true[1:] / above),
    )


def class_curves(
    classes: Sequence[str], probabilities: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]
) -> list[ClassCurve]:
    """The curves of every class against the rest."""
    return [
        class_curve(name, probabilities[:, index], labels == index)
        for index, name in enumerate(classes)
    ]


def macro_average(values: Sequence[float | None]) -> float | None:
    """Mean over the classes that have a value; ``None`` where none has."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def macro_roc(
    curves: Sequence[ClassCurve], rates: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """Mean recall of the classes at given false positive rates: vertical averaging."""
    defined = [curve for curve in curves if not curve.problem]
    return np.mean([np.interp(rates, c.false_positive_rate, c.recall) for c in defined], axis=0)


def resampled_auroc(
    probabilities: Float[np.ndarray, "n k"],
    labels: Int[np.ndarray, " n"],
    weights: Float[np.ndarray, "r n"],
) -> Float[np.ndarray, " r"]:
    """Macro AUROC of weighted images; the mean omits a class that a resample lacks.

    The area is the probability that a positive scores above a negative, ties counted by half
    (Hanley and McNeil 1982). This needs one sort for all resamples.
    """
    areas = np.stack(
        [
            weighted_auroc(probabilities[:, index], labels == index, weights)
            for index in range(probabilities.shape[1])
        ]
    )
    defined = ~np.isnan(areas)
    total, n_defined = np.where(defined, areas, 0).sum(0), defined.sum(0)
    return np.divide(total, n_defined, out=np.full(len(weights), np.nan), where=n_defined > 0)


def weighted_auroc(
    scores: Float[np.ndarray, " n"],
    positive: Bool[np.ndarray, " n"],
    weights: Float[np.ndarray, "r n"],
) -> Float[np.ndarray, " r"]:
    """AUROC of weighted images; NaN without a positive or without a negative."""
    order, starts = ranks(scores)
    ordered, is_positive = weights[:, order], positive[order]
    above = np.add.reduceat(ordered * is_positive, starts, axis=1)
    beside = np.add.reduceat(ordered * ~is_positive, starts, axis=1)
    wins = (beside * (np.cumsum(above, axis=1) - above / 2)).sum(1)
    pairs = above.sum(1) * beside.sum(1)
    return np.divide(wins, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)


def ranks(
    scores: Float[np.ndarray, " n"],
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " m"]]:
    """The order from the highest score down, and where in it each distinct score begins."""
    order = np.argsort(-scores, kind="stable")
    return order, np.flatnonzero(np.diff(scores[order], prepend=np.inf))
