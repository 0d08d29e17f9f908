"""A Gaussian with a shrunken covariance, which can be fitted to fewer samples than features."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LEAST_VARIANCE = 1e-12  # in squared units of the features: a class of one image has no variance


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution of features.

    Args:
        mean: Mean of the features.
        factor: Lower Cholesky factor of the covariance.
    """

    mean: Float[Tensor, " f"]
    factor: Float[Tensor, "f f"]

    def white(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n f"]:
        """Coordinates about the mean in which the covariance is the identity."""
        deviations = (features - self.mean).T
        return torch.linalg.solve_triangular(self.factor, deviations, upper=False).T

    def squared_distance(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Mahalanobis' distance from the mean, squared."""
        return self.white(features).square().sum(1)

    def log_density(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Log density of the features in nats."""
        log_determinant = 2 * self.factor.diagonal().log().sum()
        constant = len(self.mean) * math.log(2 * math.pi) + log_determinant
        return -(self.squared_distance(features) + constant) / 2


def shrunken_gaussian(
    mean: Float[Tensor, " f"],
    deviations: Float[Tensor, "n f"],
    share: Float[Tensor, ""] | None = None,
) -> Gaussian:
    """A Gaussian of samples, given their mean and their deviations from it.

    Args:
        mean: Mean of the samples.
        deviations: The samples minus the mean.
        share: See :func:`shrunken_covariance`.
    """
    return Gaussian(mean, torch.linalg.cholesky(shrunken_covariance(deviations, share)))


def shrunken_covariance(
    deviations: Float[Tensor, "n f"], share: Float[Tensor, ""] | None = None
) -> Float[Tensor, "f f"]:
    """The covariance (1 - δ) S + δ m I of centred samples, m being the mean variance.

    It is positive definite even where S is not, as with fewer images than features. The usual
    alternative, a pseudo-inverse, ignores every direction in which the images do not vary, and
    that is where strangers lie.

    Args:
        deviations: The samples minus their mean.
        share: The shrinkage δ; ``None`` for that of :func:`shrinkage`.
    """
    n, f = deviations.shape
    empirical = deviations.T @ deviations / n
    m = empirical.diagonal().mean()
    delta = shrinkage(deviations) if share is None else share
    return (1 - delta) * empirical + (delta * m + LEAST_VARIANCE) * torch.eye(f, dtype=m.dtype)


def shrinkage(deviations: Float[Tensor, "n f"]) -> Float[Tensor, ""]:
    """δ of Ledoit and Wolf (2004), doi:10.1016/S0047-259X(03)00096-4, of centred samples."""
    n, f = deviations.shape
    # S and the products of the samples have the same squares; the smaller of the two is made.
    products = deviations.T @ deviations if f <= n else deviations @ deviations.T
    squares, m = (products / n).square().sum(), deviations.square().mean()
    dispersion = (squares - f * m.square()) / f
    error = (deviations.square().sum(1).square().sum() / n - squares) / (n * f)
    return (error / dispersion).clamp(0, 1) if dispersion > 0 else torch.ones_like(m)
