"""Maximum likelihood: the M-step and the bound of ordinary EM, Bishop (2006) section 9.2."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import override

from gmm.covariance import Covariance
from gmm.em.objective import Objective, expected_statistics
from gmm.em.parameters import Parameters
from gmm.samples.in_memory import Samples
from gmm.samples.statistics import Statistics

LARGEST_REGULARISER = 1e-3  # of the mean variance of a feature
SMALLEST_REGULARISER = 1e-14


def scaled_regulariser(reg_covar: float, variance: float) -> float:
    """``reg_covar`` where it is small beside the variance of the samples and large beside rounding.

    An absolute number alone would drown samples in nanometres and vanish beside samples in
    kilometres: the same data in other units has to give the same clusters. 0 stays 0.

    Args:
        reg_covar: In squared units of the samples.
        variance: Mean variance of a feature.
    """
    if reg_covar == 0 or variance == 0:
        return reg_covar
    return min(max(reg_covar, SMALLEST_REGULARISER * variance), LARGEST_REGULARISER * variance)


class Likelihood(Objective[Parameters]):
    """The likelihood of the samples.

    Args:
        covariance: The covariance type.
        reg_covar: Added to every variance, in squared units of the samples.
    """

    def __init__(self, covariance: Covariance, reg_covar: float) -> None:
        super().__init__(covariance)
        self.reg_covar = reg_covar

    @override
    def expectation(self, samples: Samples, parameters: Parameters) -> Statistics:
        return expected_statistics(samples, parameters, self.covariance)

    @override
    def maximise(self, statistics: Statistics) -> tuple[Parameters, Bool[Tensor, " run"]]:
        # As scikit-learn does, so that a component without samples divides by no zero.
        counts = statistics.counts + 10 * torch.finfo(statistics.counts.dtype).eps
        means = statistics.first / counts[..., None]
        covariances = self.covariance.estimate(counts, means, statistics.second, self.reg_covar)
        chol, valid = self.covariance.factorise(covariances)
        return Parameters(counts / counts.sum(-1, keepdim=True), means, chol), valid

    @override
    def lower_bound(
        self, statistics: Statistics, before: Parameters, after: Parameters
    ) -> Float[Tensor, " run"]:
        """Mean log density of a sample in nats, under the parameters of the E-step."""
        return statistics.lower_bound
