"""Maximum likelihood: the M-step and the bound of ordinary EM, Bishop (2006) section 9.2."""

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from gmm.covariance import Covariance
from gmm.em.objective import Maximum, Objective, expected_statistics, factorise_definite
from gmm.em.parameters import Parameters
from gmm.options import Regulariser
from gmm.samples.in_memory import Samples
from gmm.samples.statistics import Statistics

USUAL_REGULARISER = 1e-6  # scikit-learn's, in squared units of the samples
LARGEST_REGULARISER = 1e-3  # of the mean variance of a feature
SMALLEST_REGULARISER = 1e-14


def regulariser(reg_covar: Regulariser | int, samples: Samples) -> float:
    """What is added to every variance: the number that was asked for, or what ``auto`` stands for.

    ``auto`` is 1e-6, but small beside the variance of the samples and large beside rounding. That
    number alone would drown samples in nanometres and vanish beside samples in kilometres, whose
    clusters are the same. It is one number for all features, so these should have one unit.
    """
    if reg_covar != "auto":
        return float(reg_covar)
    variance = samples.variance  # mean variance of a feature
    if variance == 0:
        return USUAL_REGULARISER
    least, most = SMALLEST_REGULARISER * variance, LARGEST_REGULARISER * variance
    return min(max(USUAL_REGULARISER, least), most)


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
    def expectation(
        self, samples: Samples, parameters: Parameters, *, double: bool = False
    ) -> Statistics:
        return expected_statistics(samples, parameters, self.covariance, double)

    @override
    def maximise(self, statistics: Statistics) -> Maximum[Parameters]:
        weights, means, covariances = estimate(statistics, self.covariance, self.reg_covar)
        chol, valid, added = factorise_definite(
            self.covariance, covariances, means.shape[-1], widen=self.reg_covar > 0
        )
        return Maximum(Parameters(weights, means, chol), valid, added)

    @override
    def lower_bound(
        self, statistics: Statistics, before: Parameters, after: Parameters
    ) -> Float[Tensor, " run"]:
        """Mean log density of a sample in nats, under the parameters of the E-step."""
        return statistics.lower_bound


def estimate(
    statistics: Statistics, covariance: Covariance, reg_covar: float
) -> tuple[Float[Tensor, "run k"], Float[Tensor, "run k d"], Float[Tensor, "run ..."]]:
    """Weights, means and covariances of greatest likelihood, Bishop (2006) eqs. 9.24 to 9.26."""
    # As scikit-learn does, so that a component without samples divides by no zero.
    counts = statistics.counts + 10 * torch.finfo(statistics.counts.dtype).eps
    means = statistics.first / counts[..., None]
    covariances = covariance.estimate(counts, means, statistics.second, reg_covar)
    return counts / counts.sum(-1, keepdim=True), means, covariances
