"""Which stain, of the whole image: the evidence of all players of a plane, taken together.

Players are superpixel × plane for every method alike: the coefficient where a method has one, else
the sum of its map over the superpixel, so that the noise of single pixels cancels. The strength of
a plane is the sum of |evidence| over its players, and its share is that of the strength of all
planes: shares have no unit, sum to 1, and are 1 over the number of planes for what knows nothing.
The signed sum, in units of the score where the map sums to it, says in which direction; a stain
that matters for and against in different places has a high share and little of it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.superpixels.base import superpixel_means

NOT_ASKED = "asked by superpixel alone: by_plane: true gives a coefficient per stain and place"
UNKNOWN = "keeps no planes"


@dataclass(frozen=True)
class PlaneEvidence:
    """What the planes of each image amount to.

    Args:
        shares: Share of the strength of all planes; NaN where there is none.
        signed: Sum of the evidence for the target.
    """

    shares: Float[Tensor, "b c"]
    signed: Float[Tensor, "b c"]


def evidence_by_plane(
    attribution: Attribution, superpixels: Int[Tensor, "b h w"]
) -> PlaneEvidence | None:
    """The evidence of each plane; None for an attribution without planes.

    Args:
        attribution: What is summed up.
        superpixels: Labels 0…s−1 of each image.
    """
    players = player_values(attribution, superpixels)
    if players is None:
        return None
    strength = torch.stack([values.abs().sum(1) for values in players])
    signed = torch.stack([values.sum(1) for values in players])
    return PlaneEvidence(strength / strength.sum(1, keepdim=True), signed)


def player_values(
    attribution: Attribution, superpixels: Int[Tensor, "b h w"]
) -> list[Float[Tensor, "c _s"]] | None:
    """Evidence of each player, image by image, in float64; None without planes."""
    counts = (superpixels.flatten(1).amax(1) + 1).tolist()
    if attribution.superpixel_plane_values is not None:
        pairs = zip(attribution.superpixel_plane_values, counts, strict=True)
        return [values[:, :n].double() for values, n in pairs]
    if attribution.plane_values is None:
        return None
    return [
        superpixel_means(values.double(), labels) * labels.flatten().bincount()
        for values, labels in zip(attribution.plane_values, superpixels, strict=True)
    ]


def why_no_planes(explainer: Explainer) -> str:
    """Why an explainer's attributions have no planes, in one line."""
    if explainer.no_planes:
        return explainer.no_planes
    return NOT_ASKED if getattr(explainer, "by_plane", True) is False else UNKNOWN
