"""Features to the points that a mixture is fitted to: standardised, then principal components."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LEAST_SPREAD = 1e-12  # relative to the widest feature, below which a feature is constant


@dataclass(frozen=True)
class Projection:
    """An affine map of features to fewer coordinates, in the precision of what it maps.

    Args:
        mean: Mean of each feature over the images of the fit; it is subtracted first.
        scale: What each feature is then divided by; 1 where features keep their units.
        axes: Orthonormal rows, by falling variance; ``None`` for the features themselves.
    """

    mean: Float[Tensor, " f"]
    scale: Float[Tensor, " f"]
    axes: Float[Tensor, "d f"] | None

    @property
    def n_features(self) -> int:
        """Number of features that are mapped."""
        return len(self.mean)

    @property
    def n_dimensions(self) -> int:
        """Number of coordinates of a point."""
        return len(self.mean) if self.axes is None else len(self.axes)

    def state(self) -> dict[str, Tensor | None]:
        """Its tensors by name."""
        return {"mean": self.mean, "scale": self.scale, "axes": self.axes}

    def points(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n d"]:
        """Coordinates of the features, differentiable with respect to them."""
        if self.axes is None:
            return (features - self.mean.to(features)) / self.scale.to(features)
        # One product and no copy of the features. The offset is summed in float64; rounding in
        # float32 is relative to the features, not to their distance from the mean.
        axes = self.axes / self.scale
        offset = -(axes @ self.mean)
        return torch.addmm(offset.to(features), features, axes.to(features).T)

    def features(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n f"]:
        """The features nearest to the mean that have these coordinates: PCA's inverse."""
        centred = points if self.axes is None else points @ self.axes.to(points)
        return centred * self.scale.to(points) + self.mean.to(points)

    def error(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Mean squared difference between features and their reconstruction, divided by the scales.

        Raises:
            ValueError: If nothing was projected, so that nothing can be lost.
        """
        if self.axes is None:
            raise ValueError(
                "projection=null keeps every feature, so there is no reconstruction error; pass "
                "a share of the variance or a number of axes"
            )
        residual = (features - self.features(self.points(features))) / self.scale.to(features)
        return residual.square().mean(1)


def fit_projection(
    features: Float[Tensor, "n f"], standardise: bool, kept: int | float | None
) -> Projection:
    """Standardisation and PCA of float64 features.

    Args:
        features: Features of the images of the fit.
        standardise: Whether features are divided by their standard deviation; constant ones are
            divided by 1.
        kept: Number of axes, or, below 1, the least share of the variance that they explain;
            ``None`` for no PCA.

    Raises:
        ValueError: If more axes are asked for than there are.
    """
    mean = features.mean(0)
    spread = (features - mean).square().mean(0).sqrt()
    varies = standardise & (spread > LEAST_SPREAD * spread.max())
    scale = torch.where(varies, spread, 1.0)
    axes = None if kept is None else principal_axes((features - mean) / scale, kept)
    return Projection(mean, scale, axes)


def principal_axes(centred: Float[Tensor, "n f"], kept: int | float) -> Float[Tensor, "d f"]:
    """The first principal axes of centred samples, each with its largest entry positive.

    Raises:
        ValueError: If more axes are asked for than there are.
    """
    n_axes = min(len(centred) - 1, centred.shape[1])
    # The triangular factor R has the principal axes and variances of the samples, but f × f.
    compact = torch.linalg.qr(centred, mode="r").R if len(centred) > centred.shape[1] else centred
    _, spreads, axes = torch.linalg.svd(compact, full_matrices=False)
    if kept >= 1:
        if kept > n_axes:
            raise ValueError(
                f"projection={kept}: {len(centred)} images of {centred.shape[1]} features have "
                f"{n_axes} axes at most; pass a smaller number or a share such as 0.9"
            )
        n_kept = int(kept)
    else:
        shares = spreads.square().cumsum(0) / spreads.square().sum()
        n_kept = min(int((shares < kept).sum()) + 1, n_axes)
    axes = axes[:n_kept]
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    # Contiguous, as a file is read back: another layout would change the last bits of a product.
    return (axes * largest.sign()).contiguous()
