"""Variational Bayes: a posterior over mixtures, where maximum likelihood has one mixture.

Bishop (2006) section 10.2, with the conventions of scikit-learn: the scale of a Wishart
distribution is kept as the covariance W⁻¹ / ν, all types take the Wishart normaliser of a matrix,
and the bound leaves out what never changes.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from gmm.covariance import Covariance
from gmm.em.objective import Maximum, Objective, expected_statistics, factorise_definite
from gmm.em.parameters import Estimate
from gmm.em.sticks import WeightPrior, expected_log_weights, expected_weights, log_normaliser
from gmm.samples.in_memory import Samples
from gmm.samples.statistics import Chunk, Statistics, chunk_size, summarise, total


@dataclass(frozen=True)
class Prior:
    """The prior of every component, before the first sample.

    Args:
        weight_concentration: The smaller it is, the fewer components keep any weight.
        mean_precision: How many samples at ``mean`` the prior of the mean is worth.
        mean: Expected mean of a component, in the units of the samples.
        degrees_of_freedom: How many samples the prior of the covariance is worth; above d - 1.
        covariance: Expected scatter W⁻¹, in the inner shape of one component.
    """

    weight_concentration: float
    mean_precision: float
    mean: Float[Tensor, " d"]
    degrees_of_freedom: float
    covariance: Float[Tensor, "..."]

    def translate(self, offset: Float[Tensor, " d"]) -> "Prior":
        """The prior for the samples moved by ``offset``."""
        return replace(self, mean=self.mean + offset)


@dataclass(frozen=True)
class Posterior(Estimate):
    """The posterior after the samples; as an estimate, its means and expected precisions.

    Args:
        sticks: Posterior of the weights, see :mod:`gmm.em.sticks`.
        mean_precision: β, how many samples each mean is worth.
        degrees_of_freedom: ν of each precision.
    """

    sticks: Float[Tensor, "run k 2"]
    mean_precision: Float[Tensor, "run k"]
    degrees_of_freedom: Float[Tensor, "run kq"]

    @property
    @override
    def log_weights(self) -> Float[Tensor, "run k"]:
        """E[log π], minus what uncertain means and precisions take off E[log N(x)], in nats.

        Bishop (2006) eqs. 10.64 to 10.66.
        """
        degrees, d = self.degrees_of_freedom, self.n_features
        precision_term = spread_degrees(degrees, d).digamma().sum(-1) - d * (degrees / 2).log()
        uncertainty = precision_term - d / self.mean_precision
        return expected_log_weights(self.sticks) + uncertainty / 2


class VariationalBayes(Objective[Posterior]):
    """The evidence of the samples, bounded from below.

    Args:
        covariance: The covariance type.
        weight_prior: How counts become weights.
        prior: The prior, about the reference of the samples.
        reg_covar: Added to the covariance of every component, in squared units of the samples.
    """

    def __init__(
        self, covariance: Covariance, weight_prior: WeightPrior, prior: Prior, reg_covar: float
    ) -> None:
        super().__init__(covariance)
        self.weight_prior = weight_prior
        self.prior = prior
        self.widen = reg_covar > 0
        self.regulariser = reg_covar * unit_covariance(covariance, prior.mean)

    @override
    def expectation(
        self, samples: Samples, parameters: Posterior, *, double: bool = False
    ) -> Statistics:
        return expected_statistics(samples, parameters, self.covariance, double)

    @override
    def maximise(self, statistics: Statistics) -> Maximum[Posterior]:
        prior = self.prior
        statistics = avoid_zero_counts(statistics)
        counts = self._per_matrix(statistics.counts)
        degrees = prior.degrees_of_freedom + counts
        # A conjugate prior of the mean is worth samples at it: with them, the scatter about the new
        # mean is Bishop (2006) eq. 10.62 and no outer product is left to be taken.
        believed = statistics + self._summarise_prior(statistics.counts)
        means = believed.first / believed.counts[..., None]
        spread = self.covariance.estimate(believed.counts, means, believed.second, 0.0)

        def per_element(values: Tensor) -> Tensor:
            return values[(..., *[None] * prior.covariance.ndim)]

        scatter = (
            prior.covariance
            + per_element(self._per_matrix(believed.counts)) * spread
            + per_element(counts) * self.regulariser
        )
        chol, valid, added = factorise_definite(
            self.covariance, scatter / per_element(degrees), len(prior.mean), widen=self.widen
        )
        sticks = self.weight_prior.posterior(statistics.counts, prior.weight_concentration)
        weights = expected_weights(sticks)
        posterior = Posterior(weights, means, chol, sticks, believed.counts, degrees)
        return Maximum(posterior, valid, added)

    @override
    def lower_bound(
        self, statistics: Statistics, before: Posterior, after: Posterior
    ) -> Float[Tensor, " run"]:
        """Evidence lower bound of all samples in nats, up to a constant of samples and prior."""
        d = after.n_features
        log_determinant = self.covariance.log_determinant(after.precisions_cholesky, d)
        log_normalisers = log_wishart_normaliser(after.degrees_of_freedom, log_determinant, d)
        n_sharing = after.n_components // log_normalisers.shape[1]
        return (
            entropy(statistics, before, self.covariance)
            + n_sharing * log_normalisers.sum(-1)
            + log_normaliser(after.sticks)
            - d / 2 * after.mean_precision.log().sum(-1)
        )

    def _summarise_prior(self, counts: Float[Tensor, "run k"]) -> Statistics:
        """The statistics of the samples that the prior of the mean is worth."""
        resp = torch.full_like(counts, self.prior.mean_precision)
        return summarise_point(self.prior.mean, resp, self.covariance)

    def _per_matrix(self, counts: Float[Tensor, "run k"]) -> Float[Tensor, "run kq"]:
        """The mean count of the components that share a matrix."""
        n_matrices = self.covariance.inner_shape(counts.shape[1], len(self.prior.mean))[0]
        return counts.unflatten(1, (n_matrices, -1)).mean(-1)


def avoid_zero_counts(statistics: Statistics) -> Statistics:
    """The statistics with counts above 0, by the small number that scikit-learn adds."""
    least = 10 * torch.finfo(statistics.counts.dtype).eps
    return replace(statistics, counts=statistics.counts + least)


def summarise_unscored(chunk: Chunk, resp: Float[Tensor, "run k n"]) -> Statistics:
    """The statistics of samples whose log density is not needed, and is taken for 0."""
    return summarise(chunk, resp, torch.zeros_like(resp[:, 0]))


def summarise_point(
    x: Float[Tensor, " d"], resp: Float[Tensor, "run k"], covariance: Covariance
) -> Statistics:
    """The statistics of one sample that counts ``resp`` times."""
    columns = x[:, None]
    return summarise_unscored(Chunk(columns, covariance), resp[..., None])


def unit_covariance(covariance: Covariance, mean: Float[Tensor, " d"]) -> Float[Tensor, "..."]:
    """The covariance that is 1 in every direction, in the inner shape of one component."""
    origin = summarise_point(torch.zeros_like(mean), mean.new_ones(1, 1), covariance)
    return covariance.estimate(origin.counts, origin.first, origin.second, 1.0)[0, 0]


def moments(
    samples: Samples, covariance: Covariance
) -> tuple[Float[Tensor, ""], Float[Tensor, " d"], Float[Tensor, "..."]]:
    """Weight, mean and scatter of all samples, the scatter in the inner shape of one component."""
    reference = samples.reference
    size = chunk_size(covariance, 1, len(reference), torch.float64, reference.device)
    parts = (
        summarise_unscored(fill_in(chunk), torch.ones_like(chunk.x[None, :1]))
        for chunk in samples.chunks(covariance, size)
    )
    whole = samples.pool(total(parts))
    means = whole.first / whole.weight
    spread = covariance.estimate(whole.counts, means, whole.second, 0.0)
    return whole.weight, means[0, 0] + reference, whole.weight * spread[0, 0]


def fill_in(chunk: Chunk) -> Chunk:
    """The samples of a chunk with the reference in the place of missing values."""
    return replace(chunk, x=chunk.x.nan_to_num())


def entropy(
    statistics: Statistics, parameters: Estimate, covariance: Covariance
) -> Float[Tensor, " run"]:
    """Entropy of all responsibilities, -Σ r log r, in nats.

    Log responsibilities are log joint minus log density, and the log joint density is linear in the
    statistics: no second pass over the samples is needed.

    Args:
        statistics: Statistics of the E-step.
        parameters: Parameters of the E-step.
        covariance: The covariance type.
    """
    counts, chol, d = (
        avoid_zero_counts(statistics).counts,
        parameters.precisions_cholesky,
        parameters.n_features,
    )
    means = statistics.first / counts[..., None]
    within = covariance.estimate(counts, means, statistics.second, 0.0)
    trace = (covariance.precisions(chol) * within).flatten(2).sum(-1) * (d // within.shape[-1])
    shift = means - parameters.means
    distance = trace + (covariance.precision_times(chol, shift) * shift).sum(-1)
    log_norm = covariance.log_determinant(chol, d) - d / 2 * math.log(2 * math.pi)
    log_joint = parameters.log_weights + log_norm - distance / 2
    # Not the safe counts: log weights of empty components reach -1e10.
    return statistics.log_density - (statistics.counts * log_joint).sum(-1)


def log_wishart_normaliser(
    degrees: Float[Tensor, "run kq"], log_determinant: Float[Tensor, "run kq"], n_features: int
) -> Float[Tensor, "run kq"]:
    """-log B(W, ν) in nats, Bishop (2006) eq. B.79, without its power of π.

    Args:
        degrees: ν.
        log_determinant: Half that of the expected precision ν W.
        n_features: d.
    """
    log_scale = log_determinant - n_features / 2 * (degrees / 2).log()
    return degrees * log_scale + spread_degrees(degrees, n_features).lgamma().sum(-1)


def spread_degrees(degrees: Float[Tensor, "run kq"], n_features: int) -> Float[Tensor, "run kq d"]:
    """(ν - i) / 2 for i < d: the arguments of the Gamma functions of a Wishart distribution."""
    features = torch.arange(n_features, dtype=degrees.dtype, device=degrees.device)
    return (degrees[..., None] - features) / 2
