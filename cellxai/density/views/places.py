"""Where in an image is something never seen: single places of an early layer.

A pooled feature says little about a small object: it is an average over the whole image. PaDiM
(Defard et al. 2021, arXiv:2011.08785) and PatchCore (Roth et al. 2022, arXiv:2106.08265) compare
patches; here one density serves all places, since cells lie anywhere.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.functional import gaussian_blur

from cellxai.density.densities import Density, ShrunkGaussian
from cellxai.density.views.base import Seen, View

NEIGHBOURS = 3  # side, in places, of the square that features are averaged over, as in PatchCore
BLUR_RADIUS_SIGMAS = 3  # a Gaussian has 0.3 % of its mass farther out


class Places(View):
    """Single places of a layer; an image is as surprising as its most surprising places.

    Args:
        layer: Dotted name of a layer with places, an early one as a rule.
        side: Most rows and columns of places; neighbours are averaged until there are no more.
        smoothing: Standard deviation of the Gaussian over the map of surprise, in places; 0 for
            none.
        share: Share of the places, the most surprising ones, whose mean is that of the image.
        density: See :class:`View`.

    Raises:
        ValueError: If a number is outside its range.
    """

    meaning = "objects: something small that known images do not have"

    def __init__(
        self,
        layer: str,
        side: int = 32,
        smoothing: float = 1.0,
        share: float = 0.01,
        density: Density = ShrunkGaussian(),
    ) -> None:
        super().__init__(density)
        if side < 1 or not 0 < share <= 1 or smoothing < 0:
            raise ValueError(
                f"side={side}, share={share}, smoothing={smoothing}: expected at least one place, "
                "a share above 0 and up to 1, and a smoothing of 0 or more"
            )
        self.layer = layer
        self.layers = (layer,)
        self.side = side
        self.smoothing = smoothing
        self.share = share

    def rows(self, seen: Seen) -> Float[Tensor, "b rows columns f"]:
        """The features of every place, each averaged with its neighbours.

        Raises:
            ValueError: If the layer has no places.
        """
        output = seen.layers[self.layer]
        if output.ndim != 4:
            raise ValueError(f"layer={self.layer!r} has no places; name an earlier one")
        near = F.avg_pool2d(output, NEIGHBOURS, 1, NEIGHBOURS // 2, count_include_pad=False)
        size = min(near.shape[2], self.side), min(near.shape[3], self.side)
        return F.adaptive_avg_pool2d(near, size).permute(0, 2, 3, 1)

    def of_image(self, surprise: Float[Tensor, "b rows columns"]) -> Float[Tensor, " b"]:
        """Mean of the most surprising places, after smoothing."""
        smoothed = smooth(surprise, self.smoothing).flatten(1)
        n_highest = max(1, round(self.share * smoothed.shape[1]))
        return smoothed.topk(n_highest).values.mean(1)


def smooth(nats: Float[Tensor, "b rows columns"], sigma: float) -> Float[Tensor, "b rows columns"]:
    """Convolves a map with a Gaussian of ``sigma`` places; the border is mirrored."""
    reach = min(max(1, round(BLUR_RADIUS_SIGMAS * sigma)), min(nats.shape[1:]) - 1)
    if sigma == 0 or reach < 1:
        return nats
    return gaussian_blur(nats, [2 * reach + 1, 2 * reach + 1], [sigma, sigma])
