"""Localisation: does the map lie where something is known to be?

With ``region="cells"`` this is *overlap with cells*: a mask says where cells are, not what the
model used. With ``region="cause"`` it is the planted cause of the label. Either way, read the score
beside its chance level. Maps on superpixels have many tied pixels: they count as if their order
were drawn at random, so that neither the order of the pixels nor luck is rewarded. Where a region
has planes, the map has to lie in the right plane, too (:mod:`cellxai.explain.metrics.planes`).
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.stats import hypergeom
from torch import Tensor

from cellxai.explain.base import Attribution, Case, Truth
from cellxai.explain.metrics.base import InRegion, Metric
from cellxai.explain.metrics.correlation import midranks
from cellxai.explain.metrics.planes import matched_to_region


class RelevanceMass(Metric, InRegion):
    """Share of the positive attribution that lies in the region; NaN without positive values.

    Args:
        region: Which of the known regions: ``cells``, ``cause`` or ``cue``.
    """

    name = "relevance mass"
    family = "localisation"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "Arras et al. 2022, arXiv:2003.07258"

    def __init__(self, region: str = "cells") -> None:
        self.region = region

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :func:`relevance_mass`."""
        return relevance_mass(*matched_to_region(attribution, case.truth[self.region]))

    def chance(self, truth: Truth) -> Float[Tensor, " b"]:
        """The region's share of the image."""
        return share_of_image(truth[self.region])


class RankAccuracy(Metric, InRegion):
    """Share of the K highest pixels that lie in the region, K being the region's own size.

    Args:
        region: Which of the known regions: ``cells``, ``cause`` or ``cue``.
    """

    name = "rank accuracy"
    family = "localisation"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "Arras et al. 2022, arXiv:2003.07258"

    def __init__(self, region: str = "cells") -> None:
        self.region = region

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        values, region = matched_to_region(attribution, case.truth[self.region])
        area_px = region.sum((1, 2))
        return top_in_region(values, region, area_px) / area_px

    def chance(self, truth: Truth) -> Float[Tensor, " b"]:
        """The region's share of the image."""
        return share_of_image(truth[self.region])


class PointingGame(Metric, InRegion):
    """Whether the highest value lies in the region, without the paper's tolerance of 15 pixels.

    Args:
        region: Which of the known regions: ``cells``, ``cause`` or ``cue``.
    """

    name = "pointing game"
    family = "localisation"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "Zhang et al. 2018, arXiv:1608.00507"

    def __init__(self, region: str = "cells") -> None:
        self.region = region

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :func:`pointing_game`."""
        return pointing_game(*matched_to_region(attribution, case.truth[self.region]))

    def chance(self, truth: Truth) -> Float[Tensor, " b"]:
        """The region's share of the image."""
        return share_of_image(truth[self.region])


class TopKIou(Metric, InRegion):
    """Intersection over union of the highest pixels with the region.

    Args:
        region: Which of the known regions: ``cells``, ``cause`` or ``cue``.
        share: Share of the pixels that count as the highest.
    """

    name = "top-k IoU"
    family = "localisation"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "after Theiner et al. 2022, arXiv:2104.14995 (top-k intersection)"

    def __init__(self, region: str = "cells", share: float = 0.1) -> None:
        if not 0 < share < 1:
            raise ValueError(f"share={share}: expected a share of the pixels between 0 and 1")
        self.region = region
        self.share = share

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        values, region = matched_to_region(attribution, case.truth[self.region])
        k = self._k(region)
        both = top_in_region(values, region, k)
        return both / (k + region.sum((1, 2)) - both)

    def chance(self, truth: Truth) -> Float[Tensor, " b"]:
        """Expectation over all choices of as many pixels; their overlap is hypergeometric."""
        region = truth[self.region]
        k, n = int(self._k(region)[0]), region[0].numel()
        expected = [expected_iou(k, int(area), n) for area in region.flatten(1).sum(1)]
        return torch.tensor(expected, device=region.device)

    def _k(self, region: Bool[Tensor, "b *c h w"]) -> Int[Tensor, " b"]:
        k = max(round(self.share * region[0].numel()), 1)
        return torch.full((len(region),), k, device=region.device)


class RegionAuc(Metric, InRegion):
    """Probability that a pixel of the region has a higher value than one outside: ROC AUC.

    NaN where the region is the whole image.

    Args:
        region: Which of the known regions: ``cells``, ``cause`` or ``cue``.
    """

    name = "AUC"
    family = "localisation"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "Fawcett 2006, doi:10.1016/j.patrec.2005.10.010"

    def __init__(self, region: str = "cells") -> None:
        self.region = region

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :func:`region_auc`."""
        return region_auc(*matched_to_region(attribution, case.truth[self.region]))

    def chance(self, truth: Truth) -> Float[Tensor, " b"]:
        """One half, whatever the region's area."""
        return torch.full_like(share_of_image(truth[self.region]), 0.5)


def share_of_image(region: Bool[Tensor, "b *c h w"]) -> Float[Tensor, " b"]:
    """The region's share of the image, or of all its planes: what knows nothing hits."""
    return region.float().flatten(1).mean(1)


def relevance_mass(
    values: Float[Tensor, "b h w"], region: Bool[Tensor, "b h w"]
) -> Float[Tensor, " b"]:
    """Positive attribution in the region over all positive attribution."""
    positive = values.clamp(min=0)
    return (positive * region).sum((1, 2)) / positive.sum((1, 2))


def pointing_game(
    values: Float[Tensor, "b h w"], region: Bool[Tensor, "b h w"]
) -> Float[Tensor, " b"]:
    """Share of the pixels of highest value that lie in the region: 0 or 1 for a single maximum."""
    highest = values == values.amax((1, 2), keepdim=True)
    return (highest & region).sum((1, 2)).to(values) / highest.sum((1, 2))


def top_in_region(
    values: Float[Tensor, "b h w"], region: Bool[Tensor, "b h w"], k: Int[Tensor, " b"]
) -> Float[Tensor, " b"]:
    """How many of the k highest pixels lie in the region; tied ones count by expectation."""
    flat, inside = values.flatten(1), region.flatten(1)
    last = flat.sort(dim=1, descending=True).values.gather(1, k[:, None] - 1)
    above, tied = flat > last, flat == last
    share_of_tied = (k - above.sum(1)) / tied.sum(1)
    return ((above & inside).sum(1) + share_of_tied * (tied & inside).sum(1)).to(values)


def region_auc(
    values: Float[Tensor, "b h w"], region: Bool[Tensor, "b h w"]
) -> Float[Tensor, " b"]:
    """Mann and Whitney's U over its maximum; ties count one half."""
    inside = region.flatten(1)
    m, n = inside.sum(1), (~inside).sum(1)
    u = (midranks(values.flatten(1)) * inside).sum(1) - m * (m + 1) / 2
    return (u / (m * n)).to(values)


def expected_iou(k: int, area: int, n: int) -> float:
    """Mean IoU of a region with k of n pixels chosen at random."""
    both = np.arange(max(0, k + area - n), min(k, area) + 1)
    return float((hypergeom.pmf(both, n, area, k) * both / (k + area - both)).sum())
