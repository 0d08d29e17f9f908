"""Can a plate be told from its images? A cross-validated discriminant against permuted plates.

A discriminant learns a column, such as the plate, from numbers of the images; the images of a unit,
such as a well, are in one fold, for they resemble each other whatever their plate. The numbers are
taken about the mean of their class, and plates are permuted among units of one class: what is told
is then told beyond what the class explains. Where each class has a plate of its own, nothing can be
permuted so; then plates are permuted freely, and what is told may be the class.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from cellxai.evaluation.scores import resampled_scores
from cellxai.evaluation.units import units_of_rarest_class
from cellxai.intervals.level import Interval
from cellxai.intervals.resampling import resampled_intervals

N_FOLDS = 5
N_PERMUTATIONS = 499
MOST_AXES = 40  # of the numbers, by their principal components
RIDGE = 1e-3  # of the mean variance, added to each: numbers of a plane are near to collinear


@dataclass(frozen=True)
class BatchImages:
    """Images with a column that is to be told from them.

    Args:
        features: Numbers of each image.
        values: The column, from 0 on without gaps.
        classes: Class of each image.
        units: What is independent of others: well, group or image, from 0 on without gaps.
    """

    features: Float[np.ndarray, "n d"]
    values: Int[np.ndarray, " n"]
    classes: Int[np.ndarray, " n"]
    units: Int[np.ndarray, " n"]


@dataclass(frozen=True)
class Telling:
    """How well the column is told.

    Args:
        accuracy: Balanced accuracy over the folds: mean share of the images of each value that are
            recognised.
        interval: 95 % interval over the units; ``None`` of one unit.
        chance: What guessing has: one over the number of values.
        p: Share of permutations, the real one among them, that do as well.
        beyond_class: Whether that is beyond what the class explains.
    """

    accuracy: float
    interval: Interval | None
    chance: float
    p: float
    beyond_class: bool


def tell(images: BatchImages, seed: int = 0) -> Telling:
    """Whether the column can be told from the features; exact up to the number of permutations."""
    random = np.random.default_rng(seed)
    n_values = int(images.values.max()) + 1
    blocks, is_free = exchangeable_blocks(images)
    z = principal_axes(about_class(images) if is_free else images.features)
    folds = random.permutation(int(images.units.max()) + 1)[images.units] % N_FOLDS
    labellings = [images.values, *permuted(images, blocks, random)]
    predicted = [np.empty_like(images.values) for _ in labellings]
    for fold in range(N_FOLDS):
        tested = folds == fold
        if tested.any() and not tested.all():
            discriminant = Discriminant(z[~tested], z[tested])
            for values, guess in zip(labellings, predicted, strict=True):
                guess[tested] = discriminant.predict(values[~tested], n_values)
        else:
            for guess in predicted:
                guess[tested] = 0
    scores = np.array([
        balanced(values, guess, n_values)
        for values, guess in zip(labellings, predicted, strict=True)
    ])  # fmt: skip
    drawn = resampled_intervals(
        lambda weights: {
            "balanced": resampled_scores(images.values, predicted[0], n_values, weights)[
                "balanced_accuracy"
            ]
        },
        images.units,
        units_of_rarest_class(images.values, images.units),
    )
    p = float((scores >= scores[0] - 1e-12).mean())
    return Telling(float(scores[0]), drawn["balanced"], 1 / n_values, p, is_free)


def balanced(
    values: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], n_values: int
) -> float:
    """Mean share of the images of each value that are recognised."""
    counts = np.bincount(values, minlength=n_values)
    right = np.bincount(values[values == predicted], minlength=n_values)
    return float((right[counts > 0] / counts[counts > 0]).mean())


def about_class(images: BatchImages) -> Float[np.ndarray, "n d"]:
    """The features about the mean of their class."""
    centred = images.features.copy()
    for k in np.unique(images.classes):
        centred[images.classes == k] -= centred[images.classes == k].mean(0)
    return centred


def principal_axes(features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
    """Standardised features on their leading principal components, which know of no column."""
    z = features - features.mean(0)
    spread = z.std(0)
    z = z[:, spread > 1e-9 * max(1.0, float(np.abs(features).max()))]
    z = z / z.std(0)
    if z.shape[1] <= MOST_AXES:
        return z
    _, _, axes = np.linalg.svd(z, full_matrices=False)
    return z @ axes[:MOST_AXES].T


def exchangeable_blocks(images: BatchImages) -> tuple[Int[np.ndarray, " n"], bool]:
    """The block within which the column may be permuted, and whether it respects the classes.

    Units that are of one value each are permuted as wholes, among those of equal classes; where
    values differ within a unit, the images of one class within the unit are.
    """
    n_units = int(images.units.max()) + 1
    if is_constant(images.values, images.units):
        kinds = [tuple(np.unique(images.classes[images.units == u])) for u in range(n_units)]
        names = {kind: place for place, kind in enumerate(dict.fromkeys(kinds))}
        blocks = np.array([names[kind] for kind in kinds])[images.units]
    else:
        pairs = images.units * (int(images.classes.max()) + 1) + images.classes
        blocks = np.unique(pairs, return_inverse=True)[1]
    if is_constant(images.values, blocks):
        return np.zeros(len(blocks), dtype=np.int64), False
    return blocks, True


def is_constant(values: Int[np.ndarray, " n"], blocks: Int[np.ndarray, " n"]) -> bool:
    """Whether each block has one value alone."""
    low, high = np.full(blocks.max() + 1, values.max()), np.zeros(blocks.max() + 1, values.dtype)
    np.minimum.at(low, blocks, values)
    np.maximum.at(high, blocks, values)
    return bool((low >= high).all())


def permuted(
    images: BatchImages, blocks: Int[np.ndarray, " n"], random: np.random.Generator
) -> Iterator[Int[np.ndarray, " n"]]:
    """The column under random permutations within the blocks, units of one value as wholes."""
    whole = is_constant(images.values, images.units)
    first = np.unique(images.units, return_index=True)[1] if whole else np.arange(len(blocks))
    places = images.units if whole else np.arange(len(blocks))
    values, of_block = images.values[first], blocks[first]
    order = np.argsort(of_block, kind="stable")
    for _ in range(N_PERMUTATIONS):
        drawn = np.lexsort((random.random(len(values)), of_block))
        shuffled = np.empty_like(values)
        shuffled[order] = values[drawn]
        yield shuffled[places]


class Discriminant:
    """Fisher's linear discriminant with equal priors, for many labellings of the same images.

    Args:
        learnt: Features that it learns from.
        tested: Features that it is asked about.
    """

    def __init__(self, learnt: Float[np.ndarray, "m k"], tested: Float[np.ndarray, "t k"]) -> None:
        self.mean = learnt.mean(0)
        self.learnt = learnt - self.mean
        self.tested = tested - self.mean
        self.scatter = self.learnt.T @ self.learnt  # total, which no labelling changes

    def predict(self, values: Int[np.ndarray, " m"], n_values: int) -> Int[np.ndarray, " t"]:
        """The value of each tested image; never one that nothing was learnt of."""
        counts = np.bincount(values, minlength=n_values)
        sums = np.eye(n_values)[:, values] @ self.learnt
        means = sums / np.maximum(counts, 1)[:, None]
        within = self.scatter - (means * counts[:, None]).T @ means
        within[np.diag_indices_from(within)] += RIDGE * max(np.trace(within) / len(within), 1e-12)
        weights = np.linalg.solve(within, means.T) * max(len(values) - n_values, 1)
        scores = self.tested @ weights - (means.T * weights).sum(0) / 2
        return np.where(counts > 0, scores, -np.inf).argmax(1)
