"""ROAD, remove and debias: what is removed is imputed, so that its shape does not give it away."""

from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.base import Attribution, Case
from cellxai.explain.inpainting import conjugate_gradients
from cellxai.explain.metrics.base import Metric
from cellxai.explain.metrics.faithfulness import removal_ranks
from cellxai.explain.metrics.probing import decisions_of_variants
from cellxai.explain.seeding import generator_of

NEIGHBOUR_WEIGHTS = ((1 / 12, 1 / 6, 1 / 12), (1 / 6, 0.0, 1 / 6), (1 / 12, 1 / 6, 1 / 12))


class Road(Metric):
    """Share of removals that the prediction survives, the most relevant pixels first (MoRF).

    For each share, these pixels are replaced by noisy linear imputation: each becomes the weighted
    mean of its eight neighbours, solved for all at once in every channel, plus a little normal
    noise. The mean over images is the paper's accuracy, averaged over shares. One mask serves all
    channels; Quantus 0.6 ranks the channels of a colour image as separate pixels, and stops with an
    IndexError. Of independent labels the target's is asked for alone. A score of the image alone
    predicts nothing, which is a ValueError.

    Args:
        shares: Shares of the pixels that are removed.
        noise: Standard deviation of the noise, in grey levels of [0, 1].
        seed: Seed of the noise.
    """

    name = "ROAD"
    family = "faithfulness"
    direction = "lower"
    range = (0.0, 1.0)
    paper = "Rong et al. 2022, arXiv:2202.00449"

    def __init__(
        self,
        shares: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9),
        noise: float = 0.01,
        seed: int = 0,
    ) -> None:
        if not all(0 < share < 1 for share in shares):
            raise ValueError(f"shares={shares}: expected shares of the pixels between 0 and 1")
        self.shares = shares
        self.noise = noise
        self.seed = seed

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        images, n_pixels = case.images, case.images[0, 0].numel()
        ranks = removal_ranks(case, attribution, "pixels", n_pixels)
        noise = self.noise * normal_like(images, self.seed)
        limits = n_pixels * images.new_tensor(self.shares).repeat(len(images))
        owners = torch.arange(len(images), device=images.device).repeat_interleave(len(self.shares))

        def variants(rows: slice) -> Float[Tensor, "m c h w"]:
            own = owners[rows]
            removed = ranks[own] < limits[rows, None, None]
            return linear_imputation(images[own], removed) + removed[:, None] * noise[own]

        size = case.context.batch_size
        after = decisions_of_variants(case.model, case.targets[owners], variants, size)
        survived = after == case.targets[owners]
        return survived.view(len(images), -1).to(images).mean(1)


def linear_imputation(
    images: Float[Tensor, "b c h w"], removed: Bool[Tensor, "b h w"]
) -> Float[Tensor, "b c h w"]:
    """Removed pixels as the weighted mean of their neighbours, removed or not: Rong et al., eq. 7.

    Direct neighbours weigh 1/6 and diagonal ones 1/12; at the border, those that exist share the
    whole. The equations of all removed pixels are solved at once, channel by channel.
    """
    gone = removed[:, None].to(images)
    kernel = images.new_tensor(NEIGHBOUR_WEIGHTS)[None, None]
    neighbours = partial(_neighbours, kernel)
    weight = neighbours(torch.ones_like(gone))

    def equations(values: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return gone * (weight * values - neighbours(gone * values))

    kept = (1 - gone) * images
    mean = kept.sum((-1, -2), keepdim=True) / (1 - gone).sum((-1, -2), keepdim=True)
    solved = conjugate_gradients(equations, gone * neighbours(kept), gone * mean)
    return torch.where(removed[:, None], solved, images)


def normal_like(images: Float[Tensor, "b c h w"], seed: int) -> Float[Tensor, "b c h w"]:
    """Standard normal noise that belongs to each image: the same in any batch."""
    drawn = [torch.randn(image.shape, generator=generator_of(image, seed)) for image in images]
    return torch.stack(drawn).to(images)


def _neighbours(
    kernel: Float[Tensor, "1 1 3 3"], values: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b c h w"]:
    """Weighted sum of the eight neighbours of each pixel; nothing lies beyond the border."""
    return F.conv2d(values.flatten(0, 1)[:, None], kernel, padding=1).view_as(values)
