"""The likelihood with some parameters held at given values, such as a component known before."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import override

from gmm.covariance import Covariance
from gmm.em.likelihood import Likelihood, estimate
from gmm.em.objective import Maximum, Objective, factorise_definite
from gmm.em.parameters import Parameters
from gmm.samples.in_memory import Samples
from gmm.samples.statistics import Statistics


@dataclass(frozen=True)
class Held:
    """Which parameters keep their values; None for none of a kind.

    Args:
        weights: Weights of all components, of which some are held.
        means: Means of all components.
        chol: Precision factors of all components, in their inner shape.
        fixed_weights: Components whose weight is held.
        fixed_means: Components whose mean is held.
        fixed_covariances: Components whose covariance is held; of a shared one all or none.
    """

    weights: Float[Tensor, " k"] | None = None
    means: Float[Tensor, "k d"] | None = None
    chol: Float[Tensor, "1 ..."] | None = None
    fixed_weights: Bool[Tensor, " k"] | None = None
    fixed_means: Bool[Tensor, " k"] | None = None
    fixed_covariances: Bool[Tensor, " k"] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        masks = self.fixed_weights, self.fixed_means, self.fixed_covariances
        return all(mask is None for mask in masks)

    def translate(self, offset: Float[Tensor, " d"]) -> "Held":
        """The values for samples moved by ``offset``."""
        return self if self.means is None else replace(self, means=self.means + offset)

    def n_parameters(self, covariance: Covariance, n_components: int, n_features: int) -> int:
        """How many parameters the held ones take away from those that are learned."""

        def count(mask: Tensor | None) -> int:
            return 0 if mask is None else int(mask.sum())

        # The last weight is what the others leave.
        weights = min(count(self.fixed_weights), n_components - 1)
        per_component = covariance.n_parameters(n_components, n_features) // n_components
        if count(self.fixed_covariances) == n_components:
            covariances = covariance.n_parameters(n_components, n_features)
        else:
            covariances = count(self.fixed_covariances) * per_component
        return weights + count(self.fixed_means) * n_features + covariances


class HeldLikelihood(Objective[Parameters]):
    """The likelihood as a function of the other parameters; its M-step is exact as well.

    A free weight gets its share of what the held ones leave. A covariance is that about the mean
    that its component has, held or not: the covariance of its samples, and the outer product of
    the distance between their mean and the held one.

    Args:
        free: The likelihood without anything held, of a covariance type with plain moments.
        held: What is held, about the reference of the samples.
    """

    def __init__(self, free: Likelihood, held: Held) -> None:
        super().__init__(free.covariance)
        self.free = free
        self.held = held

    @override
    def expectation(
        self, samples: Samples, parameters: Parameters, *, double: bool = False
    ) -> Statistics:
        return self.free.expectation(samples, parameters, double=double)

    @override
    def maximise(self, statistics: Statistics) -> Maximum[Parameters]:
        held, reg_covar = self.held, self.free.reg_covar
        if held.fixed_means is not None:
            statistics = add_distances(statistics, held, self.covariance)
        weights, means, covariances = estimate(statistics, self.covariance, reg_covar)
        # Before they are factorised too, so that a component that is held cannot collapse.
        covariances = self._keep_covariances(covariances, self.covariance.covariances)
        chol, valid, added = factorise_definite(
            self.covariance, covariances, means.shape[-1], widen=reg_covar > 0
        )
        chol = self._keep_covariances(chol, lambda factors: factors)
        means = keep(means, held.means, held.fixed_means)
        return Maximum(Parameters(share_rest(weights, held), means, chol), valid, added)

    def _keep_covariances(
        self, values: Float[Tensor, "run ..."], of_factors: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "run ..."]:
        if self.held.chol is None:
            return values
        return keep(values, of_factors(self.held.chol)[0], self.held.fixed_covariances)

    @override
    def lower_bound(
        self, statistics: Statistics, before: Parameters, after: Parameters
    ) -> Float[Tensor, " run"]:
        return self.free.lower_bound(statistics, before, after)


def keep(
    values: Float[Tensor, "run kq *rest"],
    held: Float[Tensor, "kq *rest"] | None,
    fixed: Bool[Tensor, " k"] | None,
) -> Float[Tensor, "run kq *rest"]:
    """The values, with those of fixed components taken from ``held``."""
    if held is None or fixed is None:
        return values
    # A shared value is the first of one, and is fixed where all components are.
    mask = fixed[: values.shape[1]].reshape(-1, *[1] * (values.ndim - 2))
    return torch.where(mask, held, values)


def share_rest(weights: Float[Tensor, "run k"], held: Held) -> Float[Tensor, "run k"]:
    """The held weights, and what they leave shared out in proportion to the others."""
    if held.weights is None or held.fixed_weights is None:
        return weights
    rest = (held.weights * ~held.fixed_weights).sum()
    free = weights * ~held.fixed_weights
    share = free / free.sum(-1, keepdim=True).clamp_min(torch.finfo(free.dtype).tiny)
    return torch.where(held.fixed_weights, held.weights, share * rest)


def add_distances(statistics: Statistics, held: Held, covariance: Covariance) -> Statistics:
    """Statistics whose covariances about the samples' means are those about the held means.

    Since Σ r (x - μ)(x - μ)ᵀ = Σ r (x - m)(x - m)ᵀ + n (m - μ)(m - μ)ᵀ for the mean m of n samples.
    """
    counts = statistics.counts
    own = statistics.first / counts.clamp_min(torch.finfo(counts.dtype).tiny)[..., None]
    distances = own - keep(own, held.means, held.fixed_means)
    added = [
        covariance.second_moments(columns, count.diag()[None])
        for columns, count in zip(distances.mT.contiguous(), counts, strict=True)
    ]
    return replace(statistics, second=statistics.second + torch.cat(added))
