"""What EM climbs, and how: the interface that the likelihood and variational Bayes implement."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from jaxtyping import Bool, Float
from torch import Tensor

from gmm.covariance import Covariance
from gmm.density import log_joint, normalised
from gmm.parameters import Parameters
from gmm.samples import Samples
from gmm.statistics import Chunk, Statistics, chunk_size, summarise, total

P = TypeVar("P", bound=Parameters)


class Objective(ABC, Generic[P]):
    """The two steps of EM for a batch of runs, and the bound that they raise.

    Args:
        covariance: The covariance type.
    """

    def __init__(self, covariance: Covariance) -> None:
        self.covariance = covariance

    def expectation(self, samples: Samples, parameters: P) -> Statistics:
        """E-step: the statistics of all samples under parameters about their reference."""
        evaluate = log_joint(parameters, self.covariance)

        def of_chunk(chunk: Chunk) -> Statistics:
            log_density, resp = normalised(evaluate(chunk))
            chol = parameters.precisions_cholesky
            return summarise(chunk, resp, log_density, self.covariance, chol)

        size = chunk_size(self.covariance, parameters.n_components, parameters.n_features)
        return samples.pooled(total(map(of_chunk, samples.chunks(self.covariance, size))))

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
            statistics: Of the E-step.
            before: The parameters of the E-step.
            after: Those of the M-step that followed.
        """
