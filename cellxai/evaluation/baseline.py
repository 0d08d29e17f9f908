"""The accuracy to beat: that of one number per image, the standard deviation of its grey levels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Fault, Record
from cellxai.data.statistics import PixelStatistics, fit_discriminant, read_statistics
from cellxai.evaluation.units import sampling_units
from cellxai.intervals.shares import grouped_share_interval
from cellxai.trained.run import TrainedRun

DEFINITION = (
    "the standard deviation of the grey levels of the image as stored, and nothing else, in a "
    "linear discriminant (a Gaussian per class, one variance, class frequencies as priors) of the "
    "training images. constant: always the class most frequent in training"
)
LabelledNumbers = tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]


def baseline_of_run(trained: TrainedRun, judged_part: str) -> dict[str, Any]:
    """The accuracy of the pixel standard deviation alone, learned from the training images."""
    parts = {part: pixel_spread(trained, part) for part in dict.fromkeys(("train", judged_part))}
    units = sampling_units(trained.images.records(judged_part))
    known = units if len(units) == len(parts[judged_part][1]) else None
    return one_number_baseline(parts, judged_part, trained.classes, known)


def pixel_spread(trained: TrainedRun, part: str) -> LabelledNumbers:
    """The standard deviation of each image of a part, and its class; unreadable ones left out."""
    statistics = read_statistics(trained.images.records(part), trained.transforms)
    readable = [(row, of_image.sd) for row, of_image in enumerate(statistics)
                if isinstance(of_image, PixelStatistics)]  # fmt: skip
    rows = [row for row, _ in readable]
    spread = np.array([sd for _, sd in readable], dtype=np.float64)
    return spread, trained.labels(part).numpy()[rows]


def one_number_baseline(
    parts: Mapping[str, LabelledNumbers],
    judged_part: str,
    classes: Sequence[str],
    units: Int[np.ndarray, " m"] | None = None,
) -> dict[str, Any]:
    """Accuracy of a discriminant of one number, and of always naming the same class.

    Args:
        parts: The number and the class of each image, for ``train`` and the judged part.
        judged_part: Name of the part on which the accuracy is measured.
        classes: Names of the classes, in the order of the labels.
        units: The group of each image of the judged part; ``None`` where each is its own.
    """
    values, labels = parts["train"]
    if not len(labels):
        return {"problem": "no training image to learn it from"}
    discriminant = fit_discriminant(values, labels, len(classes))
    most_frequent = int(discriminant.counts.argmax())
    judged, truth = parts[judged_part]
    right = discriminant.predict(judged) == truth
    return {
        "feature": "pixel standard deviation",
        "definition": DEFINITION,
        "class_means": {
            name: float(mean) if count else None
            for name, mean, count in zip(
                classes, discriminant.means, discriminant.counts, strict=True
            )
        },
        "part": judged_part,
        "accuracy": float(right.mean()),
        "interval": grouped_share_interval(
            right, np.arange(len(right)) if units is None else units
        ),
        "constant": {
            "class": classes[most_frequent],
            "accuracy": float((truth == most_frequent).mean()),
        },
    }


def spread_by_fold(
    records: Sequence[Record], transforms: Sequence[Transforms]
) -> list[Float[np.ndarray, " n"]]:
    """Standard deviation of the grey levels of each image, as each fold has them in 8 bits.

    Args:
        records: The images.
        transforms: What each fold does to an image; folds that do the same read it once.

    Raises:
        ValueError: If a file has become unreadable since its fold was judged.
    """
    alike = all(of_fold == transforms[0] for of_fold in transforms)
    once = [spread_of(records, of_fold) for of_fold in (transforms[:1] if alike else transforms)]
    return once * len(transforms) if alike else once


def spread_of(records: Sequence[Record], transforms: Transforms) -> Float[np.ndarray, " n"]:
    """The standard deviation of each image, all of which can be read."""
    spread = []
    for statistics in read_statistics(records, transforms):
        if isinstance(statistics, Fault):
            raise ValueError(f"{statistics}; it was readable when its fold was judged")
        spread.append(statistics.sd)
    return np.array(spread)


def classes_by_spread(
    spreads: Sequence[Float[np.ndarray, " n"]],
    labels: Int[np.ndarray, " n"],
    folds: Int[np.ndarray, " n"],
    trained: Sequence[Bool[np.ndarray, " n"]],
    n_classes: int,
) -> Int[np.ndarray, " n"]:
    """The class of each image by one number, learnt from the images that its fold learnt from.

    Args:
        spreads: The number of each image in each fold.
        labels: Their classes.
        folds: The fold that tests each.
        trained: Whether each trained a fold's classifier.
        n_classes: Number of classes.
    """
    predicted = np.empty_like(labels)
    for fold, (spread, known) in enumerate(zip(spreads, trained, strict=True)):
        learnt = fit_discriminant(spread[known], labels[known], n_classes)
        predicted[folds == fold] = learnt.predict(spread[folds == fold])
    return predicted
