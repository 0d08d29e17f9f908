"""The interface of superpixels, and arithmetic on their labels.

One segmentation per image is shared by LIME, ablation and the superpixel metrics. Labels are always
0…s−1 without a gap. The ``lime`` package counts the labels but hides by their number: with labels
that start at 1 (scikit-image's default for SLIC), it never hides the last superpixel, and its
feature 0 is dead.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, Int64, Shaped
from torch import Tensor


class Superpixels(ABC):
    """Cuts images into superpixels. Subclass it in your own file, name it by ``class_path``."""

    @abstractmethod
    def segment(
        self,
        images: Float[Tensor, "b c h w"],
        instances: Int[Tensor, "b h w"] | None = None,
    ) -> Int[Tensor, "b h w"]:
        """Labels 0…s−1 of each image's superpixels, on the device of the images.

        Args:
            images: Grey (c = 1) or RGB (c = 3), in [0, 1].
            instances: Known cells, numbered from 1 on a background of 0, for superpixels that
                follow them.
        """


def renumber(labels: Int[Tensor, "b h w"]) -> Int64[Tensor, "b h w"]:
    """Labels 0…s−1 in each image, in the order of the old ones; {3, 8, 13} becomes {0, 1, 2}."""
    return torch.stack([torch.unique(image, return_inverse=True)[1] for image in labels])


def superpixel_means(
    values: Float[Tensor, "*c h w"], labels: Int[Tensor, "h w"]
) -> Float[Tensor, "*c s"]:
    """Mean of ``values`` over each superpixel of one image with labels 0…s−1."""
    area_px = labels.flatten().bincount()
    sums = values.new_zeros(*values.shape[:-2], len(area_px))
    return sums.index_add(-1, labels.flatten(), values.flatten(-2)) / area_px


def paint(
    superpixel_values: Shaped[Tensor, "*c s"], labels: Int[Tensor, "h w"]
) -> Shaped[Tensor, "*c h w"]:
    """Each pixel gets the value of its superpixel."""
    return superpixel_values[..., labels]


def paint_each(
    superpixel_values: Sequence[Shaped[Tensor, "*c _s"]], superpixels: Int[Tensor, "b h w"]
) -> Shaped[Tensor, "b *c h w"]:
    """:func:`paint` for each image of a batch; images may differ in their number of superpixels."""
    pairs = zip(superpixel_values, superpixels, strict=True)
    return torch.stack([paint(values, labels) for values, labels in pairs])
