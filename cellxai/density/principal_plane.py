"""The plane in which features are drawn, and the mixture's marginal density in it."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.density.pipeline import DensityPipeline
from cellxai.density.projection import Projection


@dataclass(frozen=True)
class PrincipalPlane:
    """Two coordinates of points, and the mixture in them.

    Args:
        projection: Features to points.
        axes: Points to the plane; the second axis is 0 in a space of one dimension.
        weights: Weights of the components; none in a space of one dimension, without contours.
        means: Means of the components in the plane.
        covariances: Covariances of the components in the plane.
    """

    projection: Projection
    axes: Float[Tensor, "2 d"]
    weights: Float[Tensor, " k"]
    means: Float[Tensor, "k 2"]
    covariances: Float[Tensor, "k 2 2"]

    def points(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n 2"]:
        """Where images lie in the plane."""
        return self.projection.points(features) @ self.axes.T

    def rows(self) -> list[dict[str, Any]]:
        """The components for ``contours.csv``; none in a space of one dimension."""
        names = ("weight", "mean_x", "mean_y", "var_x", "cov_xy", "var_y")
        if not len(self.weights):
            return []
        spreads = self.covariances.flatten(1)[:, [0, 1, 3]]
        values = torch.cat([self.weights[:, None], self.means, spreads], 1)
        return [dict(zip(names, map("{:.9g}".format, row), strict=True)) for row in values.tolist()]


def find_principal_plane(pipeline: DensityPipeline) -> PrincipalPlane:
    """The plane of the first two principal axes: of PCA, or of the mixture where there is none."""
    fitted, shares = pipeline.fitted_, pipeline.fitted_.log_shares.exp()
    parts = [mixture.as_module().double() for mixture in fitted.mixtures]
    weights = torch.cat([share * part.weights for share, part in zip(shares, parts, strict=True)])
    means = torch.cat([part.means for part in parts])
    covariances = torch.cat([part.covariance_matrices() for part in parts])
    axes = principal_axes_of_mixture(fitted.projection, weights, means, covariances)
    if fitted.projection.n_dimensions == 1:
        weights, means, covariances = weights[:0], means[:0], covariances[:0]
    return PrincipalPlane(
        fitted.projection, axes, weights, means @ axes.T, axes @ covariances @ axes.T
    )


def principal_axes_of_mixture(
    projection: Projection,
    weights: Float[Tensor, " k"],
    means: Float[Tensor, "k d"],
    covariances: Float[Tensor, "k d d"],
) -> Float[Tensor, "2 d"]:
    """The plane's axes in the space of the points."""
    if projection.axes is not None:
        return torch.eye(2, projection.n_dimensions, dtype=torch.float64)
    deviations = means - weights @ means
    within = (weights[:, None, None] * covariances).sum(0)
    covariance = within + (weights * deviations.T) @ deviations
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # svd_lowrank starts at random; its result is not random
        return torch.svd_lowrank(covariance, q=min(8, len(covariance)), niter=8)[2][:, :2].T
