"""Images that should seem unfamiliar: other data, corrupted images, a class that is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Int

from cellxai.data.corruption import Corruption
from cellxai.data.records import Source
from cellxai.density.known_images import KnownImages
from cellxai.density.roles import Roles
from cellxai.trained.image_sets import FeatureSource, ImageSet, join_sets

OWN_NAMES = ("train", "validation", "test", "out of fold")


@dataclass(frozen=True)
class StrangerSettings:
    """What should seem unfamiliar, as a config says it.

    Args:
        unfamiliar: Other data sets by name.
        corruptions: What is done to known images that were not fitted to, by name.
        left_out_class: A class that nothing is fitted to.

    Raises:
        ValueError: If two sets have the same name, so that one would hide the other.
    """

    unfamiliar: Mapping[str, Source] = field(default_factory=dict)
    corruptions: Mapping[str, Corruption] = field(default_factory=dict)
    left_out_class: str | None = None

    def __post_init__(self) -> None:
        taken = {*OWN_NAMES}
        for option in ("unfamiliar", "corruptions"):
            names = {*getattr(self, option)}
            for name in sorted(names & taken):
                raise ValueError(f"{option}={name!r}: another set has this name; choose another")
            taken |= names


@dataclass(frozen=True)
class Strangers:
    """A set of images that should seem unfamiliar.

    Args:
        images: The images.
        twins: The index of the known image that each was made from. Where a stranger is scored, its
            twin must not have been fitted to. ``None`` for images of another origin.
    """

    images: ImageSet
    twins: Int[np.ndarray, " n"] | None = None

    def rows_scored_in(self, roles: Roles) -> Int[np.ndarray, " m"]:
        """The rows of the images that are scored in the round with these roles."""
        if self.twins is None:
            return np.arange(len(self.images.records))
        return np.flatnonzero(np.isin(self.twins, roles.compared.numpy()))


def find_strangers(
    source: FeatureSource,
    known: KnownImages,
    rounds: Sequence[Roles],
    settings: StrangerSettings,
    seed: int,
) -> dict[str, Strangers]:
    """Every set of images that should seem unfamiliar, by name."""
    strangers = {
        name: Strangers(source.other(name, data)) for name, data in settings.unfamiliar.items()
    }
    compared = np.sort(torch.cat([roles.compared for roles in rounds]).numpy())
    records = [known.records[index] for index in compared]
    index_of = dict(zip((record.id for record in records), compared.tolist(), strict=True))
    for name, corruption in settings.corruptions.items():
        images = source.corrupted(name, records, corruption, seed)
        twins = np.array([index_of[record.id] for record in images.records])
        strangers[name] = Strangers(images, twins)
    if settings.left_out_class is not None:
        name = f"class {settings.left_out_class}"
        strangers[name] = select_class(known, settings.left_out_class, every=len(rounds) > 1)
    return strangers


def select_class(known: KnownImages, label: str, every: bool) -> Strangers:
    """The known images of a class that is left out.

    Args:
        known: All known images.
        label: The class.
        every: Whether to include those of the training part, on which a network may have been
            trained.
    """
    selections = []
    for part, images in known.sets.items():
        rows = [row for row, record in enumerate(images.records) if record.label == label]
        if rows and (every or part != "train"):
            selections.append(images.some(torch.tensor(rows, dtype=torch.int64)))
    return Strangers(join_sets(selections))
