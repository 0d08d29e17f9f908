"""Controls: maps that know nothing of the model. Who does not beat them has explained nothing."""

import zlib

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.base import Attribution, Context, Explainer, Model


class RandomAttribution(Explainer):
    """Independent standard normal numbers."""

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        shape = images.shape[-2:]
        maps = [torch.randn(shape, generator=_generator(x, context.seed)) for x in images]
        return Attribution(torch.stack(maps).to(images))


class Edges(Explainer):
    """Magnitude of the Sobel gradient of the grey image: never negative."""

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        return Attribution(sobel_magnitude(images.detach().mean(1)))


def sobel_magnitude(images: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """Length of the Sobel gradient per pixel step; pixels past the border repeat the border."""
    smooth, slope = images.new_tensor([1.0, 2.0, 1.0]) / 4, images.new_tensor([-1.0, 0.0, 1.0]) / 2
    kernels = torch.stack([smooth.outer(slope), slope.outer(smooth)])[:, None]
    bordered = F.pad(images[:, None], (1, 1, 1, 1), mode="replicate")
    return F.conv2d(bordered, kernels).norm(dim=1)


def _generator(image: Float[Tensor, "c h w"], seed: int) -> torch.Generator:
    """Seeded by the image too: each image its own noise, in any batch and on any device."""
    content = zlib.crc32(image.detach().cpu().contiguous().numpy().tobytes())
    (entropy,) = np.random.SeedSequence([seed, content]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(entropy >> np.uint64(1)))
