"""Baselines: what is put where an explainer hides pixels.

The choice is part of the question asked of the model. A black image can lie far off the data (on
one trained network its logit was 709 where images have 10), so that hiding means shouting.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.superpixels import painted, superpixel_means

BLUR_RADIUS_SIGMAS = 3.0  # beyond, a Gaussian has 0.3 % of its mass


class Baseline(ABC):
    """Makes the image without information. Subclass it, name it by ``class_path``."""

    @abstractmethod
    def fill(
        self, images: Float[Tensor, "b c h w"], superpixels: Int[Tensor, "b h w"]
    ) -> Float[Tensor, "b c h w"]:
        """What replaces each pixel when it is hidden, in the units of the images.

        Args:
            images: In [0, 1].
            superpixels: Labels 0…s−1, for fills that are constant on each superpixel.
        """


class ConstantBaseline(Baseline):
    """One grey value everywhere; 0 is the black of ``lime``'s ``hide_color=0``.

    Args:
        value: In [0, 1], for every channel.
    """

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def fill(
        self, images: Float[Tensor, "b c h w"], superpixels: Int[Tensor, "b h w"]
    ) -> Float[Tensor, "b c h w"]:
        """See :meth:`Baseline.fill`."""
        return torch.full_like(images, self.value)


class BlurBaseline(Baseline):
    """The image through a Gaussian: brightness stays, detail goes (Fong and Vedaldi 2017).

    Args:
        sigma_px: Width of the Gaussian; must exceed the structures that are to vanish.
    """

    def __init__(self, sigma_px: float = 10.0) -> None:
        if not sigma_px > 0:
            raise ValueError(f"sigma_px={sigma_px} blurs nothing; pass sigma_px>0")
        self.sigma_px = sigma_px

    def fill(
        self, images: Float[Tensor, "b c h w"], superpixels: Int[Tensor, "b h w"]
    ) -> Float[Tensor, "b c h w"]:
        """See :meth:`Baseline.fill`."""
        return gaussian_blur(images, self.sigma_px)


class SuperpixelMeanBaseline(Baseline):
    """Each superpixel in its own mean colour: ``lime``'s ``hide_color=None``."""

    def fill(
        self, images: Float[Tensor, "b c h w"], superpixels: Int[Tensor, "b h w"]
    ) -> Float[Tensor, "b c h w"]:
        """See :meth:`Baseline.fill`."""
        pairs = zip(images, superpixels, strict=True)
        return torch.stack(
            [painted(superpixel_means(image, labels), labels) for image, labels in pairs]
        )


def gaussian_blur(images: Float[Tensor, "b c h w"], sigma_px: float) -> Float[Tensor, "b c h w"]:
    """Separable Gaussian blur; pixels past the border repeat the border."""
    radius = math.ceil(BLUR_RADIUS_SIGMAS * sigma_px)
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernel = torch.softmax(-0.5 * (offsets / sigma_px).square(), dim=0)
    planes = F.pad(images.flatten(0, 1)[:, None], (radius,) * 4, mode="replicate")
    rows = F.conv2d(planes, kernel.view(1, 1, 1, -1))
    return F.conv2d(rows, kernel.view(1, 1, -1, 1)).view_as(images)
