"""The known images of all parts, and the folds that they are dealt into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from cellxai.data.dealing import deal_folds
from cellxai.data.records import Record
from cellxai.trained.image_sets import FeatureSource, ImageSet, join_sets

LEAST_FOLDS = 3  # one is judged, and the others need two to set a threshold in folds


@dataclass(frozen=True)
class KnownImages:
    """The known images of all parts, one after another.

    Args:
        sets: The images of each part, by its name.
        classes: Names of the classes.
    """

    sets: Mapping[str, ImageSet]
    classes: tuple[str, ...]

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The record of each image."""
        return tuple(record for images in self.sets.values() for record in images.records)

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The name of each image's part."""
        return tuple(part for part, images in self.sets.items() for _ in images.records)

    @cached_property
    def every(self) -> ImageSet:
        """All images as one set."""
        return join_sets(list(self.sets.values()))

    @cached_property
    def labels(self) -> Int[Tensor, " n"]:
        """The index in ``classes`` of each image's class."""
        index_of = {name: index for index, name in enumerate(self.classes)}
        return torch.tensor([index_of[record.label] for record in self.records])


def read_known_images(source: FeatureSource) -> KnownImages:
    """The readable images of all parts, training images first."""
    source.images.setup()
    parts = [part for part in ("train", "validation", "test") if source.images.records(part)]
    return KnownImages({part: source.part(part) for part in parts}, source.images.classes)


def deal_into_folds(
    source: FeatureSource, known: KnownImages, n_folds: int, seed: int
) -> Int[Tensor, " n"]:
    """The fold of each known image, in which it is judged.

    Raises:
        ValueError: If there are too few folds, or the features were trained.
    """
    if n_folds < LEAST_FOLDS:
        raise ValueError(f"folds={n_folds}: expected {LEAST_FOLDS} or more: one is judged, two fit")
    if not source.unseen:
        raise ValueError(
            f"folds={n_folds}: the network was trained on its training images, so that their "
            "features are too good to set a threshold; leave folds out, or train the head alone"
        )
    return deal(known.records, n_folds, seed)


def deal(records: Sequence[Record], n_folds: int, seed: int) -> Int[Tensor, " n"]:
    """The fold of each record, from 0; groups stay whole, and no fold is empty."""
    fold_of = deal_folds(records, n_folds, seed)
    folds = torch.tensor([fold_of[record.id] for record in records], dtype=torch.int64)
    return folds.unique(return_inverse=True)[1]


def find_usable(known: KnownImages, left_out_class: str | None) -> list[bool]:
    """Whether each known image takes part: not if it is of the class that is left out.

    Raises:
        ValueError: If there is no such class.
    """
    if left_out_class is not None and left_out_class not in known.classes:
        expected = ", ".join(known.classes)
        raise ValueError(f"left_out_class={left_out_class!r}: expected one of {expected}")
    return [record.label != left_out_class for record in known.records]
