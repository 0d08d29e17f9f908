"""The known images of all parts, and the folds that they are dealt into."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.data.dealing import deal_folds
from cellxai.data.records import Record
from cellxai.trained.image_sets import FeatureSource, ImageSet, join_sets


@dataclass(frozen=True)
class Known:
    """The known images of all parts, one after another.

    Args:
        sets: By part.
        classes: Names of the classes.
    """

    sets: Mapping[str, ImageSet]
    classes: tuple[str, ...]

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """What they are."""
        return tuple(record for one in self.sets.values() for record in one.records)

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The part of each."""
        return tuple(name for name, one in self.sets.items() for _ in one.records)

    @cached_property
    def every(self) -> ImageSet:
        """All of them as one set."""
        return join_sets(list(self.sets.values()))

    @cached_property
    def features(self) -> Float[Tensor, "n f"]:
        """Of each."""
        return torch.cat([one.features for one in self.sets.values()])

    @cached_property
    def logits(self) -> Float[Tensor, "n k"] | None:
        """Of each, if there is a classifier."""
        found = [one.logits for one in self.sets.values() if one.logits is not None]
        return torch.cat(found) if found else None

    @cached_property
    def labels(self) -> Int[Tensor, " n"]:
        """Place in ``classes`` of each."""
        places = {name: place for place, name in enumerate(self.classes)}
        return torch.tensor([places[record.label] for record in self.records])


def known_images(source: FeatureSource) -> Known:
    """The readable images of all parts, training images first."""
    source.images.setup()
    parts = [part for part in ("train", "validation", "test") if source.images.records(part)]
    return Known({part: source.part(part) for part in parts}, source.images.classes)


def deal(
    source: FeatureSource, known: Known, folds: int | None, seed: int
) -> Int[Tensor, " n"] | None:
    """The fold of each known image; ``None`` where the parts have their roles.

    Raises:
        ValueError: If there are too few folds, or the features were trained.
    """
    if folds is None:
        return None
    if folds < 3:
        raise ValueError(f"folds={folds}: expected 3 or more: one is judged, two fit")
    if not source.unseen:
        raise ValueError(
            f"folds={folds}: the network was trained on its training images, so that their "
            "features are too good to set a threshold; leave folds out, or train the head alone"
        )
    dealt = deal_folds(known.records, folds, seed)
    return torch.tensor([dealt[record.id] for record in known.records])


def usable_images(known: Known, left_out_class: str | None) -> list[bool]:
    """Which known images take part at all.

    Raises:
        ValueError: If there is no such class, or no other.
    """
    if left_out_class is not None and left_out_class not in known.classes:
        expected = ", ".join(known.classes)
        raise ValueError(f"left_out_class={left_out_class!r}: expected one of {expected}")
    return [record.label != left_out_class for record in known.records]
