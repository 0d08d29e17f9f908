"""The images of each class in a few numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cellxai.data.records import Record
from cellxai.data.statistics import PixelStatistics, predict_left_out

Measured = Sequence[tuple[Record, PixelStatistics]]


@dataclass(frozen=True)
class ClassSummary:
    """One class in a few numbers.

    Args:
        label: Its name.
        n_images: Images that could be read.
        mean: Mean grey level, averaged over the images.
        sd: Standard deviation of the pixels of an image, averaged over the images.
        sd_spread: Standard deviation of ``sd`` over the images; 0 for a single image.
        sizes: Height×width of the smallest and the largest image, once where they are equal.
    """

    label: str
    n_images: int
    mean: float
    sd: float
    sd_spread: float
    sizes: str


def group_by_class(measured: Measured) -> dict[str, Measured]:
    """The images of each class, in alphabetical order of the classes."""
    labels = sorted({record.label for record, _ in measured})
    return {label: [pair for pair in measured if pair[0].label == label] for label in labels}


def summarise(label: str, pairs: Measured) -> ClassSummary:
    """Means over the images of a class."""
    spread = np.array([statistics.sd for _, statistics in pairs])
    sizes = sorted({(s.height * s.width, s.height, s.width) for _, s in pairs})
    ends = dict.fromkeys(f"{height}×{width}" for _, height, width in (sizes[0], sizes[-1]))
    return ClassSummary(
        label, len(pairs), float(np.mean([statistics.mean for _, statistics in pairs])),
        float(spread.mean()), float(spread.std(ddof=1)) if len(spread) > 1 else 0.0,
        " to ".join(ends),
    )  # fmt: skip


def share_told_by_spread(by_class: Mapping[str, Measured]) -> float:
    """Share of images whose class their pixel sd gives, by the discriminant of all other images."""
    values = np.array([statistics.sd for pairs in by_class.values() for _, statistics in pairs])
    labels = np.repeat(np.arange(len(by_class)), [len(pairs) for pairs in by_class.values()])
    return float((predict_left_out(values, labels, len(by_class)) == labels).mean())
