"""Known cells as superpixels: hiding one then asks what that cell means to the model."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int, Int64, Shaped
from skimage.measure import label
from torch import Tensor

from cellxai.explain.superpixels.base import Superpixels, renumber
from cellxai.explain.superpixels.methods import Grid


class FromMasks(Superpixels):
    """Each known cell is one superpixel; what lies between is cut by another method.

    Args:
        background: Cuts the background; null for a grid of 32 pixels.
        min_background_px: Smaller slivers of background join one common superpixel, so that the
            surrogate is not asked for the weight of a few pixels.
    """

    def __init__(self, background: Superpixels | None = None, min_background_px: int = 16) -> None:
        self.background = background
        self.min_background_px = min_background_px

    def segment(
        self,
        images: Float[Tensor, "b c h w"],
        instances: Int[Tensor, "b h w"] | None = None,
    ) -> Int64[Tensor, "b h w"]:
        """See :meth:`Superpixels.segment`.

        Raises:
            ValueError: If no instances are given.
        """
        if instances is None:
            raise ValueError(
                "FromMasks needs masks of the cells, got instances=None; pass instances=[b h w], "
                "or use Slic"
            )
        background = (self.background or Grid(size_px=32)).segment(images)
        pairs = zip(instances, background, strict=True)
        return renumber(torch.stack([self._join(*pair) for pair in pairs]))

    def _join(
        self, instances: Int[Tensor, "h w"], background: Int[Tensor, "h w"]
    ) -> Int64[Tensor, "h w"]:
        between = instances == 0
        area_px = background[between].bincount(minlength=int(background.max()) + 1)
        slivers = area_px[background] < self.min_background_px
        # Cells keep their numbers from 1; the slivers get 0, the other background negative numbers.
        outside = torch.where(slivers, 0, background - len(area_px))
        return torch.where(between, outside, instances.long())


def connected_instances(cells: Bool[Tensor, "b h w"]) -> Int64[Tensor, "b h w"]:
    """Numbers the connected parts of each mask from 1, for data that only tell where cells are."""
    numbered = [torch.from_numpy(label(mask.cpu().numpy(), connectivity=1)) for mask in cells]
    return torch.stack(numbered).long().to(cells.device)


def known_instances(truth: Mapping[str, Shaped[Tensor, "..."]]) -> Int64[Tensor, "1 h w"] | None:
    """The cells of one image, numbered; None where ``truth`` has no region ``cells``."""
    return connected_instances(truth["cells"][None]) if "cells" in truth else None
