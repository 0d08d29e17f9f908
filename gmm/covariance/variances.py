"""Covariances that are variances, whichever features share one: ``diag`` and ``spherical``."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal
from typing_extensions import override

from gmm.covariance.base import (
    Covariance,
    are_finite,
    coloured_products,
    restore_factors,
    shown_attributes,
)
from gmm.covariance.completion import Completion, Incomplete
from gmm.covariance.cost import Task
from gmm.covariance.noise import Noisy, NoisyMatrices, NoisyVariances
from gmm.covariance.products import multiply
from gmm.covariance.rounding import positive_rest
from gmm.covariance.variance_completion import VarianceCompletion


class Variances(Covariance):
    """One variance for some features: a subclass says which of them share it, and is final."""

    couples_features = False
    shares_form = False
    in_float32 = True
    far_in_float32 = False
    has_products = True
    plain_moments = True

    @abstractmethod
    def pool(self, squares: Float[Tensor, "*lead d"]) -> Float[Tensor, "*lead m"]:
        """Sums over the features that share a variance."""

    @abstractmethod
    def squares(self, x: Float[Tensor, "d n"]) -> Float[Tensor, "m n"]:
        """Squares of features, summed as :meth:`pool` sums."""

    @override
    def monomials(self, x: Float[Tensor, "d n"]) -> tuple[Float[Tensor, "_ n"], ...]:
        return x, self.squares(x)

    @override
    def unpack(
        self, products: Float[Tensor, "run k m"], n_features: int
    ) -> Float[Tensor, "run k m"]:
        return products

    @override
    def packs(self, task: Task) -> bool:
        return True

    @override
    def scratch(self, n_components: int, n_features: int, *, packs: bool = True) -> int:
        return 2 * n_features + n_components

    @override
    def second_moments(
        self,
        x: Float[Tensor, "d n"],
        resp: Float[Tensor, "run k n"],
        chol: Float[Tensor, "run ..."] | None = None,
    ) -> Float[Tensor, "run k m"]:
        return multiply(resp, self.squares(x).T)

    @override
    def estimate(
        self,
        counts: Float[Tensor, "run k"],
        means: Float[Tensor, "run k d"],
        second: Float[Tensor, "run k m"],
        reg_covar: float,
    ) -> Float[Tensor, "run k m"]:
        total = second / counts[..., None]
        within = positive_rest(total, self.pool(means.square()))
        n_sharing = means.shape[-1] // second.shape[-1]
        return (within if n_sharing == 1 else within / n_sharing) + reg_covar

    @override
    def factorise(
        self, covariances: Float[Tensor, "run k m"]
    ) -> tuple[Float[Tensor, "run k m"], Bool[Tensor, " run"]]:
        chol = covariances.rsqrt()
        return chol, are_finite(chol)

    @override
    def make_definite(
        self, covariances: Float[Tensor, "run k m"]
    ) -> tuple[Float[Tensor, "run k m"], None]:
        return covariances, None

    @override
    def fits(self, chol: Float[Tensor, "run k m"]) -> Bool[Tensor, " run"]:
        return (chol > 0).flatten(1).all(-1)

    @override
    def factorise_precisions(
        self, precisions: Float[Tensor, "run k m"]
    ) -> tuple[Float[Tensor, "run k m"], Bool[Tensor, " run"]]:
        return precisions.sqrt(), are_finite(precisions.rsqrt())

    @override
    def precisions(self, chol: Float[Tensor, "run k m"]) -> Float[Tensor, "run k m"]:
        return chol.square()

    @override
    def covariances(self, chol: Float[Tensor, "run k m"]) -> Float[Tensor, "run k m"]:
        return chol.square().reciprocal()

    @override
    def log_determinant(
        self, chol: Float[Tensor, "run k m"], n_features: int
    ) -> Float[Tensor, "run k"]:
        n_sharing, total = n_features // chol.shape[-1], chol.double().log().sum(-1)
        return total if n_sharing == 1 else total * n_sharing

    @override
    def inflation(self, chol: Float[Tensor, "run k m"]) -> Float[Tensor, "run k"]:
        return torch.ones_like(chol[..., 0])

    @override
    def quadratic_coefficients(self, chol: Float[Tensor, "run k m"]) -> Float[Tensor, "run k m"]:
        return chol.square()

    @override
    def precision_times(
        self, chol: Float[Tensor, "run k m"], vectors: Float[Tensor, "run k d"]
    ) -> Float[Tensor, "run k d"]:
        return chol.square() * vectors

    @override
    def squared_distances(
        self, chol: Float[Tensor, "run k m"], deviations: Float[Tensor, "run k d n"]
    ) -> Float[Tensor, "run k n"]:
        return (chol[..., None] * deviations).square().sum(-2)

    @override
    def distances_from(
        self, chol: Float[Tensor, "run k m"], means: Float[Tensor, "run k d"], n_samples: int
    ) -> Callable[[Float[Tensor, "d n"]], Float[Tensor, "run k n"]]:
        means = means.to(chol.dtype)[..., None]
        return lambda x: self.squared_distances(chol, x - means)

    @override
    def colour(
        self, chol: Float[Tensor, "run k m"], noise: Float[Tensor, "run k d n"]
    ) -> Float[Tensor, "run k d n"]:
        return noise / chol[..., None]

    @override
    def conditional(
        self,
        chol: Float[Tensor, "run k m"],
        kept: Int[Tensor, " kept"],
        given: Int[Tensor, " given"],
        deviations: Float[Tensor, "run k given n"],
    ) -> tuple[Float[Tensor, "run k kept n"], Float[Tensor, "run k mkept"]]:
        run, k, _, n = deviations.shape
        return deviations.new_zeros(run, k, len(kept), n), self.marginal(chol, kept)

    @override
    def completer(
        self, chol: Float[Tensor, "run k m"], means: Float[Tensor, "run k d"]
    ) -> Callable[[Incomplete], Completion]:
        scales = chol.expand_as(means)
        return lambda part: VarianceCompletion(scales, means, part, self.pool)

    @override
    def complete_noisy(
        self, chol: Float[Tensor, "run k m"], means: Float[Tensor, "run k d"], part: Noisy
    ) -> Completion:
        variances = self.covariances(chol).expand_as(means)
        if part.noise.ndim == 2:
            return NoisyVariances(variances, means, part, self.pool)

        def collect(second: Float[Tensor, "run k d d"]) -> Float[Tensor, "run k m"]:
            return self.pool(second.diagonal(dim1=-2, dim2=-1))

        return NoisyMatrices(variances.diag_embed(), means, part, collect)

    @override
    def attributes(
        self, chol: Float[Tensor, "run k m"], n_components: int, n_features: int
    ) -> dict[str, Tensor]:
        return shown_attributes(self, chol, n_components, n_features)

    @override
    def from_attributes(self, estimator: Any) -> Float[Tensor, "1 ..."]:
        return restore_factors(self, estimator)

    @override
    def distribution(
        self, chol: Float[Tensor, "run k m"], means: Float[Tensor, "run k d"]
    ) -> Distribution:
        return Independent(Normal(means[0], chol[0].reciprocal().expand_as(means[0])), 1)

    @override
    def dense(
        self, chol: Float[Tensor, "run k m"], n_components: int, n_features: int
    ) -> Float[Tensor, "run k d d"]:
        return coloured_products(self, chol, n_components, n_features)
