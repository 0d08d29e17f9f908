"""Views of a single row per image: pooled layers, penultimate features, logits, grey levels."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from cellxai.density.densities import Density, ShrunkGaussian
from cellxai.density.views.base import Seen, View

LEAST_VARIANCE = 1e-12  # keeps the gradient of a standard deviation finite where all places agree
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)  # of the grey levels


class VectorView(View):
    """A view of one row per image, which is as surprising as the image."""

    def of_image(self, surprise: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        """See :meth:`View.of_image`."""
        return surprise


class PooledLayer(VectorView):
    """Mean and standard deviation of each channel of a layer over the places of an image.

    Late layers keep what separates the classes; early ones also keep focus, light and size, of
    which the standard deviation says most.

    Args:
        layer: Dotted name of the layer, such as ``backbone.blocks.1``.
        meaning: What is strange about an image that surprises it.
        density: See :class:`View`.
    """

    def __init__(
        self,
        layer: str,
        meaning: str = "what a layer sees on the whole",
        density: Density = ShrunkGaussian(),
    ) -> None:
        super().__init__(density)
        self.layer = layer
        self.meaning = meaning
        self.layers = (layer,)

    def rows(self, seen: Seen) -> Float[Tensor, "b f"]:
        """Means, then standard deviations; the output itself where there are no places."""
        output = seen.layers[self.layer]
        if output.ndim != 4:
            return output.flatten(1)
        places = output.flatten(2)
        spread = (places.var(2, correction=0) + LEAST_VARIANCE).sqrt()
        return torch.cat([places.mean(2), spread], 1)


class Penultimate(VectorView):
    """The features that enter the layer which gives the logits."""

    meaning = "class: what the last layers tell the classes by"

    def rows(self, seen: Seen) -> Float[Tensor, "b f"]:
        """See :meth:`View.rows`."""
        assert seen.features is not None
        return seen.features


class Logits(VectorView):
    """The logits."""

    of_head = True
    meaning = "class: no usual answer of the classifier"

    def rows(self, seen: Seen) -> Float[Tensor, "b k"]:
        """See :meth:`View.rows`."""
        assert seen.logits is not None
        return seen.logits


class Pixels(VectorView):
    """The pixels of an image that is made smaller: what lies where.

    Args:
        side: Rows and columns of the small image at most; null for the pixels as they are.
        planes: Number of planes to look at: 1 for grey images, which repeat theirs.
        density: See :class:`View`.
    """

    needs_network = False
    meaning = "layout: what lies where in the frame"

    def __init__(
        self, side: int | None = 16, planes: int = 3, density: Density = ShrunkGaussian()
    ) -> None:
        super().__init__(density)
        self.side = side
        self.planes = planes

    def rows(self, seen: Seen) -> Float[Tensor, "b f"]:
        """Means over the pixels that each small one covers."""
        images = seen.images[:, : self.planes]
        if self.side is not None:
            size = min(images.shape[2], self.side), min(images.shape[3], self.side)
            images = F.adaptive_avg_pool2d(images, size)
        return images.flatten(1)


class Tones(VectorView):
    """Mean, standard deviation and quantiles of the grey levels of each plane.

    Args:
        planes: Number of planes to look at: 1 for grey images, which repeat theirs.
        density: See :class:`View`.
    """

    needs_network = False
    meaning = "light: brightness and contrast"

    def __init__(self, planes: int = 3, density: Density = ShrunkGaussian()) -> None:
        super().__init__(density)
        self.planes = planes

    def rows(self, seen: Seen) -> Float[Tensor, "b f"]:
        """See :meth:`View.rows`."""
        levels = seen.images[:, : self.planes].flatten(2)
        quantiles = levels.quantile(levels.new_tensor(QUANTILES), dim=2)
        spread = (levels.var(2, correction=0) + LEAST_VARIANCE).sqrt()
        return torch.cat([levels.mean(2), spread, *quantiles], 1)
