"""Which classes an image may have: conformal sets that hold the true one as often as asked.

Split conformal prediction (Vovk, Gammerman and Shafer 2005; Lei et al. 2018, doi:10.1080/01621459.
2017.1307116) with one minus the probability of a class as nonconformity (Sadinle, Lei and
Wasserman 2019, doi:10.1080/01621459.2017.1395341, whose sets are the smallest on average).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.intervals.level import Interval
from cellxai.intervals.shares import grouped_share_interval

DEFINITION = (
    "A class is in the set where its p-value (1 + number of calibration images that are at least "
    "as nonconforming) / (1 + n) is above the error rate. If the calibration images and the new "
    "one are exchangeable, the set lacks the true class with at most that probability (Vovk, "
    "Gammerman and Shafer 2005, proposition 2.3). by class: n counts the calibration images of the "
    "class itself, and the promise holds within each class (Vovk 2012). The calibration images "
    "chose the epoch, which is the one thing that makes them differ from new ones. Images of one "
    "group (a plate, the cells of an image) are alike, so that the promise rests on fewer than "
    "they are; the interval of the share covered has the groups as its units."
)

NO_CLASS, BETWEEN_CLASSES = "(none)", " | "  # in the cell of a table


def name_sets(
    sets: Bool[Tensor, "n k"], logits: Float[Tensor, "n k"], names: Sequence[str]
) -> list[str]:
    """The cell that names the classes of each image's set, the likeliest first."""
    orders = logits.argsort(1, descending=True).tolist()
    return [
        BETWEEN_CLASSES.join(names[int(c)] for c in order if is_possible[int(c)]) or NO_CLASS
        for order, is_possible in zip(orders, sets.tolist(), strict=True)
    ]


@dataclass(frozen=True)
class ConformalClassifier:
    """Calibration images that the network was not trained on, and what they allow.

    Args:
        nonconformity: One minus the probability of its own class, of each calibration image.
        labels: Their classes.
        n_classes: Number of classes.
        error_rate: Largest share of new images whose set may lack the true class.
        by_class: Whether the promise is to hold within each class.
    """

    nonconformity: Float[Tensor, " n"]
    labels: Int[Tensor, " n"]
    n_classes: int
    error_rate: float = 0.1
    by_class: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.error_rate < 1:
            raise ValueError(
                f"error_rate={self.error_rate}: expected a number between 0 and 1, such as 0.1 "
                "for sets that hold the true class of 90 % of the images"
            )
        if not torch.isfinite(self.nonconformity).all():
            n_broken = int((~torch.isfinite(self.nonconformity)).sum())
            raise ValueError(
                f"nonconformity: {n_broken} of {len(self.nonconformity)} calibration images have "
                "no finite probability; expected finite logits"
            )

    @classmethod
    def calibrate(
        cls,
        logits: Float[Tensor, "n k"],
        labels: Int[Tensor, " n"],
        error_rate: float = 0.1,
        by_class: bool = False,
    ) -> "ConformalClassifier":
        """Calibrates on images that the network was not trained on.

        Args:
            logits: Their logits.
            labels: Their true classes.
            error_rate: Largest share of new images whose set may lack the true class.
            by_class: Whether the promise is to hold within each class.

        Raises:
            ValueError: If the error rate is not between 0 and 1, or a logit is not finite.
        """
        own = nonconformity(logits).gather(-1, labels[:, None])[:, 0]
        return cls(own, labels, logits.shape[-1], error_rate, by_class)

    def p_values(self, logits: Float[Tensor, "m k"]) -> Float[Tensor, "m k"]:
        """The p-value of each class of each image: how rare it is that a class fits so badly.

        Of an image with a logit that is not finite every p-value is 1, so that the set holds all
        classes: nothing is known of it.
        """
        scores = nonconformity(logits)
        columns = [
            rank_p_values(scores[:, c], self._calibration_of(c)) for c in range(self.n_classes)
        ]
        return torch.stack(columns, 1)

    def sets(self, logits: Float[Tensor, "m k"]) -> Bool[Tensor, "m k"]:
        """The classes that each image may have; none is an answer too."""
        return self.p_values(logits) > self.error_rate

    @property
    def n_needed(self) -> int:
        """Number of calibration images below which every set holds every class."""
        return least_calibration_images(self.error_rate)

    def unresolved(self, classes: Sequence[str]) -> str | None:
        """Why sets hold classes whatever the image is; ``None`` where there are enough images."""
        counts = {
            name: len(self._calibration_of(c))
            for c, name in enumerate(classes if self.by_class else ("",))
        }
        few = {name: n for name, n in counts.items() if n < self.n_needed}
        if not few:
            return None
        whose = ", ".join(f"{n} {name}".strip() for name, n in few.items())
        return (
            f"{whose} calibration images cannot promise {1 - self.error_rate:.0%}: sets hold "
            f"{'those classes' if self.by_class else 'every class'}; it takes at least "
            f"{self.n_needed}{' of each class' if self.by_class else ''}"
        )

    def _calibration_of(self, class_index: int) -> Float[Tensor, " c"]:
        if not self.by_class:
            return self.nonconformity
        return self.nonconformity[self.labels == class_index]


def nonconformity(logits: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """One minus the probability of each class, in float64.

    It is summed from the other classes, since 1 − p has lost its digits where p is near 1.
    """
    probabilities = logits.double().softmax(-1)
    others = 1 - torch.eye(logits.shape[-1], dtype=torch.float64)
    return probabilities @ others


def rank_p_values(
    scores: Float[Tensor, " m"], calibration: Float[Tensor, " n"]
) -> Float[Tensor, " m"]:
    """(1 + number of calibration scores that are at least as large) / (1 + n).

    Ties count against the image, so that the p-value is never too small. Where a score is NaN it
    is 1.
    """
    ordered = calibration.sort().values
    n_smaller = torch.searchsorted(ordered, scores.nan_to_num(nan=-torch.inf), side="left")
    return (1 + len(ordered) - n_smaller).double() / (1 + len(ordered))


def least_calibration_images(error_rate: float) -> int:
    """The least n with 1 / (1 + n) ≤ error rate: with fewer, no class can ever be left out."""
    n_images = max(0, round(1 / error_rate) - 2)
    while 1 / (1 + n_images) > error_rate:
        n_images += 1
    return n_images


@dataclass(frozen=True)
class Coverage:
    """How often sets hold the true class.

    Args:
        n_images: Number of the images.
        n_covered: Number of the images whose set holds the true class.
        mean_size: Mean number of classes in a set.
        n_empty: Number of the images whose set is empty.
        interval: 95 % interval of the share.
    """

    n_images: int
    n_covered: int
    mean_size: float
    n_empty: int
    interval: Interval | None

    def as_json(self) -> dict[str, Any]:
        """All figures as plain values."""
        share = self.n_covered / self.n_images if self.n_images else None
        return {
            "n_images": self.n_images, "n_covered": self.n_covered, "coverage": share,
            "interval": self.interval, "mean_size": self.mean_size, "n_empty": self.n_empty,
        }  # fmt: skip


def measure_coverage(
    sets: Bool[Tensor, "n k"], labels: Int[Tensor, " n"], units: Int[np.ndarray, " n"]
) -> Coverage:
    """Counts how often the sets of labelled images hold the true class, and how large they are.

    Args:
        sets: Whether each class is in the set of each image.
        labels: True classes.
        units: The group of each image, or a number of its own.
    """
    sizes = sets.sum(-1)
    covered = sets.gather(-1, labels[:, None])[:, 0].numpy()
    mean_size = float(sizes.double().mean()) if len(sizes) else 0.0
    n_empty = int((sizes == 0).sum())
    interval = grouped_share_interval(covered, units)
    return Coverage(len(labels), int(covered.sum()), mean_size, n_empty, interval)
