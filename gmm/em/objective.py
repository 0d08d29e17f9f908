"""What EM climbs, and how: the interface that the likelihood and variational Bayes implement."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Generic, TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gmm.covariance import Covariance
from gmm.em.log_density import (
    log_joint_up_to_form,
    normalise,
    rounding_loss,
    shared_form,
    working_dtype,
)
from gmm.em.parameters import Estimate
from gmm.samples.in_memory import Samples
from gmm.samples.statistics import Chunk, Statistics, chunk_size, summarise, total

P = TypeVar("P", bound=Estimate)


class Objective(ABC, Generic[P]):
    """The two steps of EM for a batch of runs, and the bound that they raise.

    Args:
        covariance: The covariance type.
    """

    def __init__(self, covariance: Covariance) -> None:
        self.covariance = covariance

    @abstractmethod
    def expectation(self, samples: Samples, parameters: P) -> Statistics:
        """E-step: the statistics of all samples under parameters about their reference."""

    @abstractmethod
    def maximise(self, statistics: Statistics) -> tuple[P, Bool[Tensor, " run"]]:
        """M-step.

        Returns:
            Parameters about the reference of the statistics, and which runs have positive definite
            covariances; the parameters of the others have no meaning.
        """

    @abstractmethod
    def lower_bound(self, statistics: Statistics, before: P, after: P) -> Float[Tensor, " run"]:
        """The bound by whose change EM stops.

        Args:
            statistics: Statistics of the E-step.
            before: Parameters of the E-step.
            after: Parameters of the M-step that followed.
        """


def expected_statistics(
    samples: Samples, parameters: Estimate, covariance: Covariance
) -> Statistics:
    """The E-step of samples without missing values, under parameters about their reference."""
    chol = parameters.precisions_cholesky
    dtype = working_dtype(parameters, covariance, samples.dtype)
    evaluate = log_joint_up_to_form(parameters, covariance, dtype)
    factors = chol.to(dtype)

    def summarise_chunk(chunk: Chunk) -> Statistics:
        log_density, resp = normalise(evaluate(chunk))
        return summarise(chunk, resp, log_density, factors)

    k, d = parameters.n_components, parameters.n_features
    size = chunk_size(covariance, k, d, dtype, chol.device)
    statistics = total(map(summarise_chunk, samples.chunks(covariance, size, dtype)))
    log_density = statistics.log_density
    if covariance.shares_form:
        log_density = log_density + shared_form(parameters, covariance, statistics.second)
    if dtype != torch.float64 and (covariance.shares_form or covariance.packs(d)):
        log_density = log_density + rounding_loss(parameters, covariance, dtype, statistics)
    return samples.pool(replace(statistics, log_density=log_density))
