"""Which stain, over many images: the mean share of each plane with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cellxai.explain.results.significance import Interval, mean_over_images


@dataclass(frozen=True)
class PlaneSummary:
    """One plane under one explainer.

    Args:
        plane: Its name.
        share: Mean share of the evidence over the images, with its interval.
        signed: Mean of the signed evidence, in units of the score.
        n_highest: In how many images its share is the highest of all planes.
    """

    plane: str
    share: Interval
    signed: float
    n_highest: int


def summarise_planes(
    planes: Sequence[str], shares: Float[np.ndarray, "n c"], signed: Float[np.ndarray, "n c"]
) -> list[PlaneSummary]:
    """Each plane over the images; images without any evidence (NaN) are left out of all of it.

    Args:
        planes: Names of the planes.
        shares: Share of each plane in each image.
        signed: Signed evidence of each plane in each image.
    """
    known = np.isfinite(shares).all(1)
    highest = np.bincount(shares[known].argmax(1), minlength=len(planes))
    return [
        PlaneSummary(
            name,
            mean_over_images(shares[known, k], 0.0, 1.0),
            float(signed[known, k].mean()) if known.any() else float("nan"),
            int(highest[k]),
        )
        for k, name in enumerate(planes)
    ]
