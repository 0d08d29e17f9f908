"""SLIC, quickshift, Felzenszwalb, watershed and squares: the ways to cut an image."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from skimage.filters import sobel
from skimage.segmentation import felzenszwalb, quickshift, slic, watershed
from torch import Tensor

from cellxai.explain.superpixels.base import Superpixels, renumber


class Slic(Superpixels):
    """SLIC: k-means in colour and position (Achanta et al. 2012, doi:10.1109/TPAMI.2012.120).

    Args:
        n_segments: How many superpixels are wanted; the image decides how many come out.
        compactness: Weight of distance against colour (Lab units); larger is squarer.
        sigma_px: Width of the Gaussian that smooths the image first.
    """

    def __init__(
        self, n_segments: int = 50, compactness: float = 10.0, sigma_px: float = 1.0
    ) -> None:
        self.n_segments = n_segments
        self.compactness = compactness
        self.sigma_px = sigma_px

    def segment(
        self,
        images: Float[Tensor, "b c h w"],
        instances: Int[Tensor, "b h w"] | None = None,
    ) -> Int64[Tensor, "b h w"]:
        """See :meth:`Superpixels.segment`."""
        return _segment_each(
            images,
            lambda rgb: slic(
                rgb, self.n_segments, self.compactness, sigma=self.sigma_px, start_label=0
            ),
        )


class Quickshift(Superpixels):
    """Quick shift mode seeking (Vedaldi and Soatto 2008), with the defaults of ``lime``.

    Args:
        kernel_size: Width of the density estimate in pixels; larger gives fewer superpixels.
        max_dist: Longest step between modes; larger gives fewer superpixels.
        ratio: Weight of colour against distance.
        seed: Breaks ties repeatably. ``lime``'s own ``random_seed`` no longer reaches scikit-image,
            whose default of 42 is therefore what the package always runs with.
    """

    def __init__(
        self, kernel_size: float = 4.0, max_dist: float = 200.0, ratio: float = 0.2, seed: int = 42
    ) -> None:
        self.kernel_size = kernel_size
        self.max_dist = max_dist
        self.ratio = ratio
        self.seed = seed

    def segment(
        self,
        images: Float[Tensor, "b c h w"],
        instances: Int[Tensor, "b h w"] | None = None,
    ) -> Int64[Tensor, "b h w"]:
        """See :meth:`Superpixels.segment`."""
        settings = (self.ratio, self.kernel_size, self.max_dist)
        # Scikit-image documents reals, but its types are inferred from defaults that are integers.
        return _segment_each(
            images,
            lambda rgb: quickshift(rgb, *settings, rng=self.seed),  # pyright: ignore
        )


class Felzenszwalb(Superpixels):
    """Graph merging (Felzenszwalb and Huttenlocher 2004, doi:10.1023/B:VISI.0000022288.19776.77).

    Args:
        scale: Larger gives fewer and larger superpixels.
        sigma_px: Width of the Gaussian that smooths the image first.
        min_size_px: Superpixels with fewer pixels are merged with a neighbour.
    """

    def __init__(self, scale: float = 100.0, sigma_px: float = 0.8, min_size_px: int = 50) -> None:
        self.scale = scale
        self.sigma_px = sigma_px
        self.min_size_px = min_size_px

    def segment(
        self,
        images: Float[Tensor, "b c h w"],
        instances: Int[Tensor, "b h w"] | None = None,
    ) -> Int64[Tensor, "b h w"]:
        """See :meth:`Superpixels.segment`."""
        settings = (self.scale, self.sigma_px, self.min_size_px)
        return _segment_each(images, lambda rgb: felzenszwalb(rgb, *settings))


class Watershed(Superpixels):
    """Floods the Sobel gradient of the grey image from regularly spaced seeds.

    Args:
        n_segments: Seeds; about as many superpixels come out.
        compactness: Weight of distance against gradient (Neubert and Protzel 2014,
            doi:10.1109/ICPR.2014.181); 0 follows every edge.
    """

    def __init__(self, n_segments: int = 50, compactness: float = 0.001) -> None:
        self.n_segments = n_segments
        self.compactness = compactness

    def segment(
        self,
        images: Float[Tensor, "b c h w"],
        instances: Int[Tensor, "b h w"] | None = None,
    ) -> Int64[Tensor, "b h w"]:
        """See :meth:`Superpixels.segment`."""
        settings = {"markers": self.n_segments, "compactness": self.compactness}
        return _segment_each(images, lambda rgb: watershed(sobel(rgb.mean(-1)), **settings))


class Grid(Superpixels):
    """Squares, whatever the image shows; those at the right and lower edge may be cut.

    Args:
        size_px: Side of a square.
    """

    def __init__(self, size_px: int = 16) -> None:
        if size_px < 1:
            raise ValueError(f"size_px={size_px} is not the side of a square; pass size_px>=1")
        self.size_px = size_px

    def segment(
        self,
        images: Float[Tensor, "b c h w"],
        instances: Int[Tensor, "b h w"] | None = None,
    ) -> Int64[Tensor, "b h w"]:
        """See :meth:`Superpixels.segment`."""
        b, _, h, w = images.shape
        row = torch.arange(h, device=images.device) // self.size_px
        column = torch.arange(w, device=images.device) // self.size_px
        labels = row[:, None] * (column[-1] + 1) + column
        return labels.expand(b, h, w).clone()


def _segment_each(
    images: Float[Tensor, "b c h w"], segment: Callable[[np.ndarray], np.ndarray]
) -> Int64[Tensor, "b h w"]:
    labels = [torch.from_numpy(segment(_rgb(image)).astype(np.int64)) for image in images]
    return renumber(torch.stack(labels)).to(images.device)


def _rgb(image: Float[Tensor, "c h w"]) -> Float[np.ndarray, "h w 3"]:
    """What is segmented: three planes as RGB, one as three equal ones, others as their composite.

    Grey thrice, so that one compactness means the same for grey and colour.
    """
    planes = image.detach().cpu().double()
    grey = planes if len(planes) in (1, 3) else composite(planes)[None]
    return grey.expand(3, -1, -1).movedim(0, -1).numpy()


def composite(planes: Float[Tensor, "c h w"]) -> Float[Tensor, "h w"]:
    """The mean over planes, each stretched from its darkest pixel as 0 to its brightest as 1.

    So a faint plane draws its borders as well as a bright one, and the order of planes is nothing.
    A plane of one level adds none.
    """
    low, high = planes.amin((1, 2), keepdim=True), planes.amax((1, 2), keepdim=True)
    spread = torch.where(high > low, high - low, 1.0)
    return ((planes - low) / spread).mean(0)
