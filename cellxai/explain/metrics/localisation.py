"""Localisation: does the map lie where something is known to be?

With ``region="cells"`` this is *overlap with cells*: a mask says where cells are, not what the
model used. With ``region="cause"`` it is the planted cause of the label. Either way the score means
nothing without its chance level, the region's share of the image.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.metrics.base import Metric, Truth


class _InRegion(Metric):
    direction = "higher"
    range = (0.0, 1.0)

    def __init__(self, region: str = "cells") -> None:
        self.region = region

    def chance(self, truth: Truth) -> Float[Tensor, " b"]:
        """The region's share of the image."""
        return truth[self.region].float().mean((1, 2))

    def applies_to(self, truth: Truth) -> bool:
        """Whether the region is known and not empty in every image."""
        return self.region in truth and bool(truth[self.region].any((1, 2)).all())


class RelevanceMass(_InRegion):
    """Share of the positive attribution that lies in the region.

    Args:
        region: Which of the known regions: ``cells`` or ``cause``.
    """

    name = "relevance mass"
    paper = "Arras et al. 2022, arXiv:2003.07258"

    def measure(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        attribution: Attribution,
        context: Context,
        truth: Truth,
    ) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`; NaN for a map without positive values."""
        return relevance_mass(attribution.values, truth[self.region])


class PointingGame(_InRegion):
    """Whether the highest value lies in the region, without the paper's tolerance of 15 pixels.

    Args:
        region: Which of the known regions: ``cells`` or ``cause``.
    """

    name = "pointing game"
    paper = "Zhang et al. 2018, arXiv:1608.00507"

    def measure(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        attribution: Attribution,
        context: Context,
        truth: Truth,
    ) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        return pointing_game(attribution.values, truth[self.region])


def relevance_mass(
    values: Float[Tensor, "b h w"], region: Bool[Tensor, "b h w"]
) -> Float[Tensor, " b"]:
    """Positive attribution in the region over all positive attribution."""
    positive = values.clamp(min=0)
    return (positive * region).sum((1, 2)) / positive.sum((1, 2))


def pointing_game(
    values: Float[Tensor, "b h w"], region: Bool[Tensor, "b h w"]
) -> Float[Tensor, " b"]:
    """Share of the pixels of highest value that lie in the region.

    A map with a single maximum scores 0 or 1. One that is constant on superpixels has many, and to
    take the first of them would reward or punish it for the order of the pixels.
    """
    highest = values == values.amax((1, 2), keepdim=True)
    return (highest & region).sum((1, 2)).to(values) / highest.sum((1, 2))
