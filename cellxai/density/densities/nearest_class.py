"""A Gaussian of each class with a common covariance: what lies between the classes is strange."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.densities.base import Density, FittedDensity, State
from cellxai.density.densities.shrunk_gaussian import FittedGaussian, shrunk_gaussian
from cellxai.density.densities.standardisation import pull_in, robust_scales

DISTANCE = "donot_use_mm_for_euclid_dist"  # with squares multiplied out, short ones are rounding


@dataclass(frozen=True)
class FittedClasses(FittedDensity):
    """Gaussians of one shape.

    Args:
        shape: The Gaussian of the first class.
        means: Mean of each class.
    """

    shape: FittedGaussian
    means: Float[Tensor, "c f"]

    def surprise(self, rows: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Half the squared Mahalanobis distance from the nearest class."""
        shape = self.shape
        (white, far), (white_means, far_means) = map(self._coordinates, (rows, self.means))
        inside = squared_distances(white, white_means)
        if len(shape.axes) < len(shape.mean):
            inside = inside + squared_distances(far, far_means) / shape.variance
        return inside.amin(1) / 2

    def _coordinates(
        self, rows: Float[Tensor, "n f"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n f"]]:
        """Along the axes, in standard deviations, and what is orthogonal to them."""
        shape = self.shape
        deviations = (rows.double() - shape.mean) / shape.scale
        axes = shape.axes.to(deviations)
        along = deviations @ axes.T
        return along / shape.variances.sqrt(), deviations - along @ axes

    def with_small_axes(self) -> "FittedClasses":
        """See :meth:`FittedGaussian.with_small_axes`."""
        return replace(self, shape=self.shape.with_small_axes())

    def state(self) -> State:
        """See :meth:`FittedDensity.state`."""
        return {"shape": self.shape.state(), "means": self.means}


class NearestClass(Density):
    """N(μ, Σ) of each class, of robustly standardised features, with a Σ that all share.

    The surprise is half the squared Mahalanobis distance from the nearest class (Lee et al. 2018,
    arXiv:1807.03888), where :class:`ShrunkGaussian` has one mean for all. Σ is shrunk as there.
    """

    def fit(
        self, rows: Float[Tensor, "n f"], labels: Int[Tensor, " n"] | None, seed: int
    ) -> FittedClasses:
        """See :meth:`Density.fit`; without labels all rows are one class."""
        points = rows.to(torch.float64, copy=True)
        centre, scale = robust_scales(points)
        points = pull_in(points.sub_(centre).div_(scale))
        of_row = torch.zeros(len(points), dtype=torch.int64) if labels is None else labels
        classes, of_row = of_row.unique(return_inverse=True)
        means = torch.stack([points[of_row == c].mean(0) for c in range(len(classes))])
        for c in range(len(classes)):  # in place: there may be many rows
            points[of_row == c] -= means[c]
        means = centre + means * scale
        return FittedClasses(shrunk_gaussian(points, means[0], scale), means)

    def restore(self, state: State) -> FittedClasses:
        """See :meth:`Density.restore`."""
        return FittedClasses(FittedGaussian(**state["shape"]), state["means"])

    def like(self, fitted: FittedDensity, n_rows: int) -> "NearestClass":
        """See :meth:`Density.like`."""
        return self


def squared_distances(
    points: Float[Tensor, "n d"], means: Float[Tensor, "c d"]
) -> Float[Tensor, "n c"]:
    """Squared distance of each point from each mean."""
    return torch.cdist(points, means, compute_mode=DISTANCE).square()
