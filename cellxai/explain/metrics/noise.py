"""Explaining an image again with noise that no eye sees."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.explain.base import Attribution, Case, Explainer
from cellxai.explain.metrics.probing import decisions_of_images
from cellxai.explain.seeding import generator_of


@dataclass(frozen=True)
class Noise:
    """Noise on an image that no eye sees: n points of a cube around it.

    Args:
        radius: Half the side of the cube, in grey levels of [0, 1].
        n: How many.
        seed: Seed of the noise.
    """

    radius: float
    n: int
    seed: int

    def ask(self, explainer: Explainer, case: Case, attribution: Attribution) -> "NoisyMaps":
        """What an explainer says of the noisy images, all in one call."""
        noise = torch.stack([uniform_cube(image, self.n, self.seed) for image in case.images])
        noisy = case.images[:, None] + self.radius * noise
        again = case.repeat(self.n).with_images(noisy.flatten(0, 1)).ask(explainer)
        after = again.values.detach().unflatten(0, (-1, self.n))
        return NoisyMaps(noisy, attribution.values.detach(), after)


@dataclass(frozen=True)
class NoisyMaps:
    """Maps of images and of the same with noise.

    Args:
        noisy: The noisy images.
        before: Maps of the images.
        after: Maps of the noisy ones.
    """

    noisy: Float[Tensor, "b n c h w"]
    before: Float[Tensor, "b h w"]
    after: Float[Tensor, "b n h w"]

    def changes(self) -> Float[Tensor, "b n"]:
        """Length of each map's change."""
        return (self.after - self.before[:, None]).flatten(2).norm(dim=2)

    def relative_changes(self) -> Float[Tensor, "b n"]:
        """The same as a share of the map's length."""
        return self.changes() / self.before.flatten(1).norm(dim=1)[:, None]

    def kept_predictions(self, case: Case) -> Bool[Tensor, "b n"]:
        """Which noisy images are predicted like the image without."""
        noisy = case.repeat(self.noisy.shape[1]).with_images(self.noisy.flatten(0, 1))
        before, after = decisions_of_images(case), decisions_of_images(noisy)
        return after.view(len(before), -1) == before[:, None]


def uniform_cube(image: Float[Tensor, "c h w"], n: int, seed: int) -> Float[Tensor, "n c h w"]:
    """Points of [−1, 1] per pixel and channel, the same for this image in any batch."""
    drawn = torch.rand(n, *image.shape, generator=generator_of(image, seed))
    return (2 * drawn - 1).to(image)
