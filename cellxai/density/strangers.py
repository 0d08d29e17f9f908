"""Images that should seem unfamiliar: other data, spoiled images, a class that is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from cellxai.data.corruption import Corruption
from cellxai.data.records import Source
from cellxai.density.known import Known
from cellxai.density.rounds import Round
from cellxai.trained.image_sets import FeatureSource, ImageSet, join_sets

OWN_NAMES = ("train", "validation", "test", "out of fold")


@dataclass(frozen=True)
class Sought:
    """What should seem unfamiliar, as a config says it.

    Args:
        unfamiliar: Other data sets by name.
        corruptions: What is done to known images that were not fitted to, by name.
        left_out_class: A class that nothing is fitted to.

    Raises:
        ValueError: If a set bears the name of another and would hide it.
    """

    unfamiliar: Mapping[str, Source] = field(default_factory=dict)
    corruptions: Mapping[str, Corruption] = field(default_factory=dict)
    left_out_class: str | None = None

    def __post_init__(self) -> None:
        taken = {*OWN_NAMES}
        for option in ("unfamiliar", "corruptions"):
            names = {*getattr(self, option)}
            for name in sorted(names & taken):
                raise ValueError(f"{option}={name!r}: a set is named so already; choose another")
            taken |= names


@dataclass(frozen=True)
class Strangers:
    """A set of images that should seem unfamiliar.

    Args:
        images: The images.
        twins: The place of the known image that each was made of, which must not have been fitted
            to where it is scored; ``None`` for images of another origin.
    """

    images: ImageSet
    twins: Int[np.ndarray, " n"] | None = None

    def rows(self, one: Round) -> Int[np.ndarray, " m"]:
        """The places of the images that are scored in a round."""
        if self.twins is None:
            return np.arange(len(self.images.records))
        return np.flatnonzero(np.isin(self.twins, unfitted(one).numpy()))


def unfitted(one: Round) -> Int[Tensor, " n"]:
    """The known images that strangers are compared with: judged, else those of the threshold."""
    return one.roles.judged if len(one.roles.judged) else one.roles.calibrating


def find_strangers(
    source: FeatureSource, known: Known, rounds: Sequence[Round], sought: Sought, seed: int
) -> dict[str, Strangers]:
    """Every set of images that should seem unfamiliar, by name."""
    found = {name: Strangers(source.other(name, one)) for name, one in sought.unfamiliar.items()}
    places = np.sort(torch.cat([unfitted(one) for one in rounds]).numpy())
    records = [known.records[place] for place in places]
    place_of = dict(zip((record.id for record in records), places.tolist(), strict=True))
    for name, one in sought.corruptions.items():
        images = source.corrupted(name, records, one, seed)
        twins = np.array([place_of[record.id] for record in images.records])
        found[name] = Strangers(images, twins)
    if sought.left_out_class is not None:
        name = f"class {sought.left_out_class}"
        found[name] = of_class(known, sought.left_out_class, every=len(rounds) > 1)
    return found


def of_class(known: Known, label: str, every: bool) -> Strangers:
    """The known images of a class that is left out.

    Args:
        known: All known images.
        label: The class.
        every: Whether also those of the training part, which a network may have been trained on.
    """
    parts = [
        images.rows(torch.tensor(places, dtype=torch.int64))
        for part, images in known.sets.items()
        if (places := [i for i, one in enumerate(images.records) if one.label == label])
        and (every or part != "train")
    ]
    return Strangers(join_sets(parts))
