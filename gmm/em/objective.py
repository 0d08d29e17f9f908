"""What EM climbs, and how: the interface that the likelihood and variational Bayes implement."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from gmm.covariance import Covariance
from gmm.em.deviations import move_to_reference, summarise_deviations
from gmm.em.few_samples import are_few, log_joint_of_few
from gmm.em.joint import (
    leaves_form_out,
    log_joint,
    log_joint_up_to_form,
    rounding_loss,
    shared_form,
)
from gmm.em.log_density import normalise
from gmm.em.parameters import Estimate
from gmm.em.ways import Way, choose_ways, task_of
from gmm.samples.in_memory import InMemory, Samples
from gmm.samples.statistics import (
    Chunk,
    Statistics,
    chunk_size,
    join_runs,
    summarise,
    total,
)

P = TypeVar("P", bound=Estimate)

# Of a sample, below which it counts as 0: its product with a number of usual size is subnormal,
# with which some CPUs take a hundred times as long, and it is far below any rounding.
LEAST_SHARE = {
    dtype: torch.finfo(dtype).tiny / torch.finfo(dtype).eps
    for dtype in (torch.float32, torch.float64)
}

MOST_PRODUCTS = 2**20  # of two features of few samples, to be kept from iteration to iteration


@dataclass(frozen=True)
class Maximum(Generic[P]):
    """The outcome of an M-step.

    Args:
        parameters: Parameters about the reference of the statistics.
        valid: Which runs have positive definite covariances; the parameters of the others have no
            meaning.
        added: What the variance of each feature had to be raised by beyond ``reg_covar``, so that a
            covariance of the run could be factorised; the most of all components.
    """

    parameters: P
    valid: Bool[Tensor, " run"]
    added: Float[Tensor, "run d"]


class Objective(ABC, Generic[P]):
    """The two steps of EM for a batch of runs, and the bound that they raise.

    Args:
        covariance: The covariance type.
    """

    def __init__(self, covariance: Covariance) -> None:
        self.covariance = covariance

    @abstractmethod
    def expectation(self, samples: Samples, parameters: P, *, double: bool = False) -> Statistics:
        """E-step: the statistics of all samples under parameters about their reference.

        Args:
            samples: Samples.
            parameters: Parameters about their reference.
            double: Whether to compute in float64 whatever the samples are in.
        """

    @abstractmethod
    def maximise(self, statistics: Statistics) -> Maximum[P]:
        """M-step."""

    @abstractmethod
    def lower_bound(self, statistics: Statistics, before: P, after: P) -> Float[Tensor, " run"]:
        """The bound by whose change EM stops.

        Args:
            statistics: Statistics of the E-step.
            before: Parameters of the E-step.
            after: Parameters of the M-step that followed.
        """


def factorise_definite(
    covariance: Covariance, covariances: Float[Tensor, "run ..."], n_features: int, *, widen: bool
) -> tuple[Float[Tensor, "run ..."], Bool[Tensor, " run"], Float[Tensor, "run d"]]:
    """Precision factors, which runs have them, and what each variance was raised by for them.

    Args:
        covariance: The type of the covariances.
        covariances: Covariances of an M-step.
        n_features: d.
        widen: Whether a covariance that does not factorise is raised by the least that helps.
    """
    chol, valid = covariance.factorise(covariances)
    added = covariances.new_zeros(len(covariances), n_features)
    if not widen or all(valid.tolist()):
        return chol, valid, added
    covariances, raised = covariance.make_definite(covariances)
    if raised is None:
        return chol, valid, added
    return *covariance.factorise(covariances), raised.amax(1)


def expected_statistics(
    samples: Samples,
    parameters: Estimate,
    covariance: Covariance,
    double: Bool[Tensor, " run"] | bool = False,
) -> Statistics:
    """The E-step of samples without missing values, under parameters about their reference.

    Args:
        samples: Samples.
        parameters: Parameters about their reference.
        covariance: The covariance type.
        double: Which runs are computed in float64 in any case.
    """
    if isinstance(samples, InMemory) and are_few(samples.n_samples, parameters):
        return _sum_few(samples.whole(covariance), parameters, covariance)
    task = task_of(parameters, samples.n_samples, samples.dtype)
    ways = choose_ways(parameters, covariance, task, double)
    if len(ways) == 1:
        return _sum_statistics(samples, parameters, covariance, ways[0][1])
    parts = [
        _sum_statistics(samples, parameters.select(runs), covariance, way) for runs, way in ways
    ]
    order = torch.cat([runs.nonzero()[:, 0] for runs, _ in ways])
    return join_runs(parts).select(order.argsort())


def are_summed_as_few(samples: Samples, parameters: Estimate) -> bool:
    """Whether the E-step is computed at once and in float64, whatever the samples are in."""
    return isinstance(samples, InMemory) and are_few(samples.n_samples, parameters)


def _sum_few(chunk: Chunk, parameters: Estimate, covariance: Covariance) -> Statistics:
    """The statistics of few samples, in float64 whatever they are in."""
    if covariance.couples_features:
        joint = log_joint_of_few(chunk.x, parameters, covariance)
    else:  # whose squares are written down already
        n = chunk.x.shape[1]
        joint = log_joint(parameters, covariance, packs=True, n_samples=n)(chunk)
    log_density, resp = normalise(joint)
    packs = covariance.has_products and chunk.x.numel() * parameters.n_features <= MOST_PRODUCTS
    return summarise(chunk, resp, log_density, parameters.precisions_cholesky, packs=packs)


def _sum_statistics(
    samples: Samples, parameters: Estimate, covariance: Covariance, way: Way
) -> Statistics:
    chol, dtype, n = parameters.precisions_cholesky, way.dtype, samples.n_samples
    evaluate = log_joint_up_to_form(parameters, covariance, dtype, packs=way.packs, n_samples=n)
    factors, means = chol.to(dtype), parameters.means.to(dtype)

    def summarise_chunk(chunk: Chunk) -> Statistics:
        log_density, resp = normalise(evaluate(chunk))
        resp = F.threshold(resp, LEAST_SHARE[dtype], 0.0)
        if way.about_means:
            return summarise_deviations(chunk, resp, log_density, means)
        return summarise(chunk, resp, log_density, factors, packs=way.packs)

    k, d = parameters.n_components, parameters.n_features
    size = chunk_size(covariance, k, d, dtype, chol.device, way.packs)
    statistics = total(map(summarise_chunk, samples.chunks(covariance, size, dtype)))
    if way.about_means:
        statistics = move_to_reference(statistics, means.double())
    if leaves_form_out(covariance, n, d):
        statistics = statistics.add_log_density(
            shared_form(parameters, covariance, statistics.second)
        )
    if dtype != torch.float64 and (covariance.shares_form or way.packs):
        statistics = statistics.add_log_density(
            rounding_loss(parameters, covariance, dtype, statistics)
        )
    return samples.pool(statistics)
