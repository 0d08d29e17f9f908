"""Scores of an epoch that count every class alike: balanced accuracy and macro F1."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric


class ClassScore(Metric):
    """A score of the confusion matrix of an epoch, of all processes together.

    Args:
        n_classes: Number of classes.
        score: From counts of images by true class (rows) and predicted class (columns).
    """

    full_state_update = False
    counts: Int[Tensor, "k k"]

    def __init__(
        self, n_classes: int, score: Callable[[Int[Tensor, "k k"]], Float[Tensor, ""]]
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.score = score
        zeros = torch.zeros(n_classes, n_classes, dtype=torch.int64)
        self.add_state("counts", zeros, dist_reduce_fx="sum")

    def update(self, logits: Float[Tensor, "b k"], labels: Int[Tensor, " b"]) -> None:
        """Counts a batch."""
        places = labels * self.n_classes + logits.argmax(1)
        # One-hot sums: bincount has no deterministic form on CUDA.
        counted = F.one_hot(places, self.n_classes**2).sum(0)
        self.counts += counted.view(self.n_classes, self.n_classes)

    def compute(self) -> Float[Tensor, ""]:
        """The score of what was counted."""
        return self.score(self.counts)


def balanced_accuracy(counts: Int[Tensor, "k k"]) -> Float[Tensor, ""]:
    """Mean recall of the classes that have images, from a confusion matrix."""
    support = counts.sum(1)
    return (counts.diagonal() / support)[support > 0].mean()


def macro_f1(counts: Int[Tensor, "k k"]) -> Float[Tensor, ""]:
    """Mean F1 of the classes that have images, from a confusion matrix."""
    support, called = counts.sum(1), counts.sum(0)
    return (2 * counts.diagonal() / (support + called))[support > 0].mean()
