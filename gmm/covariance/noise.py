"""Samples with known noise: their densities, and the moments of what they were without it.

Bovy, Hogg & Roweis (2011), Extreme deconvolution, Annals of Applied Statistics 5, eqs. 14 to 16,
with projections that leave out what is missing, the limit of infinite noise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import override

from gmm.covariance.completion import Completion


@dataclass(frozen=True)
class Noisy:
    """Samples, each with noise of its own.

    Args:
        x: Samples, centred on the reference, 0 where a value is missing.
        known: Where a value is known.
        noise: Covariance of the noise of each sample, or the variances on its diagonal.
        weights: How often each sample counts; None for once.
    """

    x: Float[Tensor, "n d"]
    known: Bool[Tensor, "n d"]
    noise: Float[Tensor, "n d *d"]
    weights: Float[Tensor, " n"] | None = None

    def deviations(self, means: Float[Tensor, "run k d"]) -> Float[Tensor, "run k n d"]:
        """Deviations from the component means; 0 where a value is missing."""
        return (self.x - means[..., None, :]).where(self.known, 0.0)

    @property
    def level(self) -> Float[Tensor, " n"]:
        """Log density of whitened known values at their mean."""
        return self.known.sum(1, dtype=self.x.dtype) * (math.log(2 * math.pi) / -2)


class NoisyVariances(Completion):
    """Independent features with independent noise: one number each.

    Args:
        variances: Variances of the components.
        means: Component means about the reference.
        part: The samples, with variances of noise.
        pool: Sums over the features that share a variance.
    """

    def __init__(
        self,
        variances: Float[Tensor, "run k d"],
        means: Float[Tensor, "run k d"],
        part: Noisy,
        pool: Callable[[Float[Tensor, "run k d"]], Float[Tensor, "run k m"]],
    ) -> None:
        self.variances = variances[..., None, :]
        self.means = means[..., None, :]
        self.part = part
        self.pool = pool
        self.total = self.variances + part.noise
        self.deviations = part.deviations(means)

    @property
    @override
    def log_density(self) -> Float[Tensor, "run k n"]:
        terms = self.deviations.square() / self.total + self.total.log().where(self.part.known, 0.0)
        return self.part.level - terms.sum(-1) / 2

    @override
    def moments(
        self, resp: Float[Tensor, "run k n"]
    ) -> tuple[Float[Tensor, "run k d"], Float[Tensor, "run k m"]]:
        shares = resp[..., None]
        expected = self.means + self.deviations * (self.variances / self.total)
        spread = self.variances * (self.part.noise / self.total).where(self.part.known, 1.0)
        second = (shares * (expected.square() + spread)).sum(-2)
        return (shares * expected).sum(-2), self.pool(second)


class NoisyMatrices(Completion):
    """Features that depend on each other, of the components or of the noise.

    Args:
        covariances: Covariances of the components.
        means: Component means about the reference.
        part: The samples.
        collect: Turns sums of products of each component into the second moments of the type.
    """

    def __init__(
        self,
        covariances: Float[Tensor, "run k d d"],
        means: Float[Tensor, "run k d"],
        part: Noisy,
        collect: Callable[[Float[Tensor, "run k d d"]], Float[Tensor, "run kq m"]],
    ) -> None:
        self.covariances = covariances
        self.means = means[..., None, :]
        self.part = part
        self.collect = collect
        noise = part.noise if part.noise.ndim == 3 else part.noise.diag_embed()
        both = part.known[:, :, None] & part.known[:, None]
        eye = torch.eye(noise.shape[-1], dtype=noise.dtype, device=noise.device)
        # cholesky_ex: one collapsed run must not raise for its siblings.
        self.lower = torch.linalg.cholesky_ex((covariances[:, :, None] + noise).where(both, eye)).L
        deviations = part.deviations(means)[..., None]
        self.whitened = torch.linalg.solve_triangular(self.lower, deviations, upper=False)[..., 0]

    @cached_property
    @override
    def log_density(self) -> Float[Tensor, "run k n"]:
        log_determinant = self.lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return self.part.level - log_determinant - self.whitened.square().sum(-1) / 2

    @override
    def moments(
        self, resp: Float[Tensor, "run k n"]
    ) -> tuple[Float[Tensor, "run k d"], Float[Tensor, "run kq m"]]:
        # Rows V of L⁻¹ Σ: the mean given the sample moves by Vᵀ z, and the covariance is Σ - Vᵀ V.
        rows = self.covariances[:, :, None].where(self.part.known[:, :, None], 0.0)
        gain = torch.linalg.solve_triangular(self.lower, rows, upper=False)
        expected = self.means + (gain.mT @ self.whitened[..., None])[..., 0]
        shares = expected * resp[..., None]
        removed = (gain * resp.sqrt()[..., None, None]).flatten(2, 3)
        spread = resp.sum(-1)[..., None, None] * self.covariances - removed.mT @ removed
        return shares.sum(-2), self.collect(shares.mT @ expected + spread)
