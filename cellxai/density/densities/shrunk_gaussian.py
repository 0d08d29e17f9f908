"""One Gaussian with a shrunken covariance: the density that a view has unless told otherwise."""

from dataclasses import asdict, dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.densities.base import Density, FittedDensity, State
from cellxai.density.densities.standardisation import pull_in, robust_scales
from cellxai.density.detectors.gaussian import LEAST_VARIANCE, shrinkage


@dataclass(frozen=True)
class FittedGaussian(FittedDensity):
    """A Gaussian by the principal axes of its covariance.

    Args:
        mean: Mean of the rows.
        scale: What each feature is divided by first.
        axes: Orthonormal rows.
        variances: Variance along each axis.
        variance: Variance in every direction that is orthogonal to the axes.
    """

    mean: Float[Tensor, " f"]
    scale: Float[Tensor, " f"]
    axes: Float[Tensor, "d f"]
    variances: Float[Tensor, " d"]
    variance: Float[Tensor, ""]

    def surprise(self, rows: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Half the squared Mahalanobis distance, see :meth:`FittedDensity.surprise`."""
        deviations = (rows.double() - self.mean) / self.scale
        along = deviations @ self.axes.to(deviations).T
        inside = (along.square() / self.variances).sum(1)
        if len(self.axes) == len(self.mean):
            return inside / 2
        rest = deviations.square().sum(1) - along.square().sum(1)
        return (inside + rest.clamp(min=0) / self.variance) / 2

    def with_small_axes(self) -> "FittedGaussian":
        """With axes in float32, half of what it holds."""
        return replace(self, axes=self.axes.float())

    def state(self) -> State:
        """See :meth:`FittedDensity.state`."""
        return asdict(self)


class ShrunkGaussian(Density):
    """N(μ, (1 - δ) S + δ m I) of robustly standardised features.

    S is the empirical covariance, m its mean variance and δ the share of Ledoit and Wolf (2004,
    doi:10.1016/S0047-259X(03)00096-4), so that it can be fitted to fewer images than features. No
    single image sets the units of a feature or owns a direction, see
    :mod:`cellxai.density.densities.standardisation`.
    """

    def fit(
        self, rows: Float[Tensor, "n f"], labels: Int[Tensor, " n"] | None, seed: int
    ) -> FittedGaussian:
        """See :meth:`Density.fit`."""
        points = rows.to(torch.float64, copy=True)  # changed in place: there may be many
        centre, scale = robust_scales(points)
        points = pull_in(points.sub_(centre).div_(scale))
        mean = points.mean(0)
        return shrunk_gaussian(points.sub_(mean), centre + mean * scale, scale)

    def restore(self, state: State) -> FittedGaussian:
        """See :meth:`Density.restore`."""
        return FittedGaussian(**state)

    def like(self, fitted: FittedDensity, n_rows: int) -> "ShrunkGaussian":
        """See :meth:`Density.like`."""
        return self


def shrunk_gaussian(
    deviations: Float[Tensor, "n f"], mean: Float[Tensor, " f"], scale: Float[Tensor, " f"]
) -> FittedGaussian:
    """The Gaussian of standardised rows.

    Args:
        deviations: The rows minus their mean, divided by the scale.
        mean: Their mean, in units of the features.
        scale: What each feature is divided by.
    """
    share, m = shrinkage(deviations), deviations.square().mean()
    variances, axes = principal_variances(deviations)
    floor = share * m + LEAST_VARIANCE
    return FittedGaussian(mean, scale, axes, (1 - share) * variances + floor, floor)


def principal_variances(
    deviations: Float[Tensor, "n f"],
) -> tuple[Float[Tensor, " d"], Float[Tensor, "d f"]]:
    """Variances along the principal axes of centred rows, and the axes; by the smaller matrix."""
    n, f = deviations.shape
    if f <= n:
        variances, axes = torch.linalg.eigh(deviations.T @ deviations / n)
        return variances.clamp(min=0), axes.T.contiguous()
    variances, rows = torch.linalg.eigh(deviations @ deviations.T / n)
    kept = variances > variances[-1] * n * torch.finfo(variances.dtype).eps
    variances = variances[kept]
    axes = (deviations.T @ rows[:, kept] / (n * variances).sqrt()).T
    return variances, axes.contiguous()
