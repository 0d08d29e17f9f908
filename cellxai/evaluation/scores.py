"""Scores of predicted classes: accuracy, precision, recall, F1, the confusion matrix."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.metrics import (
    confusion_matrix,
    precision_recall_fscore_support,
)
from torch import Tensor

from cellxai.intervals.level import Interval
from cellxai.intervals.shares import grouped_share_interval, share_interval


def judge(
    labels: Int[Tensor, " n"],
    predicted: Int[Tensor, " n"],
    classes: Sequence[str],
    units: Int[np.ndarray, " n"] | None = None,
) -> dict[str, Any]:
    """Judges predictions: accuracies, a report per class, and the confusion matrix.

    A class without a prediction has precision 0; a class without images is left out of all means.

    Args:
        labels: True classes.
        predicted: Predicted classes.
        classes: Names of the classes.
        units: The group of each image, for the intervals; ``None`` where each is its own.
    """
    indices = np.arange(len(classes))
    precision, recall, f1, support = precision_recall_fscore_support(
        labels,
        predicted,
        labels=indices,
        zero_division=0,  # pyright: ignore[reportArgumentType]
    )
    columns = {"precision": precision, "recall": recall, "f1": f1, "support": support}
    present = np.asarray(support) > 0
    confusion = confusion_matrix(labels, predicted, labels=indices)
    per_class = {
        name: {figure: np.asarray(column)[index].item() for figure, column in columns.items()}
        | {"recall_interval": recall_interval(index, labels.numpy(), predicted.numpy(), units)}
        for index, name in enumerate(classes)
    }
    return {
        "n_images": len(labels),
        "accuracy": float(torch.eq(labels, predicted).double().mean()),
        "balanced_accuracy": float(np.asarray(recall)[present].mean()),
        "macro_f1": float(np.asarray(f1)[present].mean()),
        "per_class": per_class,
        "confusion": confusion.tolist(),
    }


def recall_interval(
    index: int,
    labels: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, " n"],
    units: Int[np.ndarray, " n"] | None,
) -> Interval | None:
    """95 % interval of the recall of a class; ``None`` without images of it."""
    mine = labels == index
    right = predicted[mine] == index
    if units is None or not len(right):
        return share_interval(int(right.sum()), len(right))
    return grouped_share_interval(right, units[mine])


def resampled_scores(
    labels: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, " n"],
    n_classes: int,
    weights: Float[np.ndarray, "r n"],
) -> dict[str, Float[np.ndarray, " r"]]:
    """Accuracy, balanced accuracy and macro F1 as :func:`judge` has them, of weighted images.

    Args:
        labels: True classes.
        predicted: Predicted classes.
        n_classes: Number of classes.
        weights: Weight of each image in each of r samples, such as how often a bootstrap drew it.
    """
    is_label, is_predicted = (np.eye(n_classes)[of_images] for of_images in (labels, predicted))
    support, called = weights @ is_label, weights @ is_predicted
    right = weights @ (is_label * is_predicted)
    present = support > 0
    n_present = present.sum(-1)
    recall = np.divide(right, support, out=np.zeros_like(right), where=present)
    f1 = np.divide(2 * right, support + called, out=np.zeros_like(right), where=present)
    return {
        "accuracy": right.sum(-1) / weights.sum(-1),
        "balanced_accuracy": recall.sum(-1) / n_present,
        "macro_f1": f1.sum(-1) / n_present,
    }
