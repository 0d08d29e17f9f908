"""Baselines: what is put where an explainer hides pixels.

The choice is part of the question asked of the model. A black image can lie far off the data: on
one trained network its logit was 709 where images have 10. Hiding then means shouting.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.inpainting import harmonic_fill
from cellxai.explain.superpixels.base import paint_each, superpixel_means
from cellxai.files.identity import hash_tensors, shorten

BLUR_RADIUS_SIGMAS = 3.0  # beyond, a Gaussian has 0.3 % of its mass
BANK_BATCH = 32  # images whose features are computed at once


class Baseline(ABC):
    """Makes the image without information. Subclass it, name it by ``class_path``.

    Attributes:
        uses_superpixels: Whether :meth:`fill` looks at them; where it does not, a gradient of a
            single image has no need of any.
    """

    uses_superpixels: ClassVar[bool] = True

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

    uses_superpixels = False

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

    uses_superpixels = False

    def __init__(self, sigma_px: float = 10.0) -> None:
        if not sigma_px > 0:
            raise ValueError(f"sigma_px={sigma_px} blurs nothing; pass sigma_px>0")
        self.sigma_px = sigma_px

    def fill(
        self, images: Float[Tensor, "b c h w"], superpixels: Int[Tensor, "b h w"]
    ) -> Float[Tensor, "b c h w"]:
        """See :meth:`Baseline.fill`."""
        return gaussian_blur(images, self.sigma_px)


class MeanBaseline(Baseline):
    """Each image in its own mean colour."""

    uses_superpixels = False

    def fill(
        self, images: Float[Tensor, "b c h w"], superpixels: Int[Tensor, "b h w"]
    ) -> Float[Tensor, "b c h w"]:
        """See :meth:`Baseline.fill`."""
        return images.mean((-1, -2), keepdim=True).expand_as(images).clone()


class SuperpixelMeanBaseline(Baseline):
    """Each superpixel in its own mean colour: ``lime``'s ``hide_color=None``."""

    def fill(
        self, images: Float[Tensor, "b c h w"], superpixels: Int[Tensor, "b h w"]
    ) -> Float[Tensor, "b c h w"]:
        """See :meth:`Baseline.fill`."""
        return paint_each(list(map(superpixel_means, images, superpixels)), superpixels)


class InpaintBaseline(Baseline):
    """Each superpixel filled smoothly from the pixels around it, as if it alone were hidden.

    See :func:`cellxai.explain.inpainting.harmonic_fill`.
    """

    def fill(
        self, images: Float[Tensor, "b c h w"], superpixels: Int[Tensor, "b h w"]
    ) -> Float[Tensor, "b c h w"]:
        """See :meth:`Baseline.fill`."""
        return harmonic_fill(images, superpixels)


class NoiseBaseline(Baseline):
    """Independent normal noise with each image's own mean and spread per channel, cut to [0, 1].

    Args:
        seed: The same seed gives the same noise, in any batch and on any device.
    """

    uses_superpixels = False

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fill(
        self, images: Float[Tensor, "b c h w"], superpixels: Int[Tensor, "b h w"]
    ) -> Float[Tensor, "b c h w"]:
        """See :meth:`Baseline.fill`."""
        noise = torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(self.seed))
        spread, mean = torch.std_mean(images, (-1, -2), keepdim=True)
        return (mean + spread * noise.to(images)).clamp(0, 1)


class NearestBaseline(Baseline):
    """The most similar image of a bank, such as cells without the drug: a baseline on the data.

    A config names :class:`cellxai.adapters.nearest.NearestInRun` instead, which reads a bank from
    disk.

    Args:
        bank: Images of the size of those that are explained, in [0, 1].
        features: Where similarity is measured, by Euclidean distance; None for the pixels.
    """

    uses_superpixels = False

    def __init__(
        self,
        bank: Float[Tensor, "n c h w"],
        features: Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n f"]] | None = None,
    ) -> None:
        self.bank = bank
        self.features = features

    def __repr__(self) -> str:
        # Results are stored with it, and a tensor prints only its corners.
        content = shorten(hash_tensors({"bank": self.bank}))
        space = getattr(self.features, "__qualname__", type(self.features).__qualname__)
        return f"NearestBaseline({len(self.bank)} images {content}, {space})"

    @torch.no_grad()
    def fill(
        self, images: Float[Tensor, "b c h w"], superpixels: Int[Tensor, "b h w"]
    ) -> Float[Tensor, "b c h w"]:
        """See :meth:`Baseline.fill`.

        Raises:
            ValueError: If the bank's images have another shape, or all are the explained image.
        """
        if self.bank.shape[1:] != images.shape[1:]:
            raise ValueError(
                f"bank holds images of shape {list(self.bank.shape[1:])}, expected "
                f"{list(images.shape[1:])}; resize the bank"
            )
        own = self._features_of(images)
        nearest = torch.cdist(own, self._bank_features.to(own)).argsort(1)
        pairs = zip(images, nearest.tolist(), strict=True)
        return torch.stack([self._first_other(image, indices) for image, indices in pairs])

    def _first_other(self, image: Float[Tensor, "c h w"], indices: list[int]) -> Tensor:
        """The first image of the bank, in the order of ``indices``, that is not the explained."""
        for index in indices:
            other = self.bank[index].to(image)
            if not torch.equal(other, image):
                return other
        raise ValueError(
            f"bank holds nothing but the explained image, {len(self.bank)} times; pass other "
            "images to replace it by"
        )

    def _features_of(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        return images.flatten(1) if self.features is None else self.features(images)

    @cached_property
    def _bank_features(self) -> Float[Tensor, "n f"]:
        """Computed once; as many at a time as fit in memory."""
        return torch.cat([self._features_of(images) for images in self.bank.split(BANK_BATCH)])


def nats_off_data(
    images: Float[Tensor, "b c h w"],
    baseline: Float[Tensor, "b c h w"],
    log_density: Callable[[Float[Tensor, "b c h w"]], Float[Tensor, " b"]],
) -> Float[Tensor, " b"]:
    """Nats by which the baseline is less likely than the image; large means off the data.

    Args:
        images: The explained images.
        baseline: What replaces them.
        log_density: Gives the log-density of images, such as that of their features under the
            training mixture.
    """
    with torch.no_grad():
        return log_density(images) - log_density(baseline)


def gaussian_blur(images: Float[Tensor, "b c h w"], sigma_px: float) -> Float[Tensor, "b c h w"]:
    """Separable Gaussian blur; pixels past the border repeat the border."""
    radius = math.ceil(BLUR_RADIUS_SIGMAS * sigma_px)
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernel = torch.softmax(-0.5 * (offsets / sigma_px).square(), dim=0)
    planes = F.pad(images.flatten(0, 1)[:, None], (radius,) * 4, mode="replicate")
    rows = F.conv2d(planes, kernel.view(1, 1, 1, -1))
    return F.conv2d(rows, kernel.view(1, 1, -1, 1)).view_as(images)
