"""Few samples, where the number of operations is what takes time: the shortest way."""

import torch
from jaxtyping import Float
from torch import Tensor

from gmm.covariance import Covariance
from gmm.em.joint import log_joint_at_means
from gmm.em.parameters import Estimate

MOST_NUMBERS = 2**15
# Deviations of all samples from the means of one run: an operation on fewer takes about as long as
# its call (a microsecond or two on a CPU), so that the form of the fewest operations is fastest.


def are_few(n_samples: int, parameters: Estimate) -> bool:
    """Whether :func:`log_joint_of_few` is the fastest way, however many runs there are.

    A run's numbers must not depend on its batch, and neither must its form.
    """
    return n_samples * parameters.n_components * parameters.n_features <= MOST_NUMBERS


def log_joint_of_few(
    x: Float[Tensor, "d n"], parameters: Estimate, covariance: Covariance
) -> Float[Tensor, "run k n"]:
    """The log joint density in nats and in float64, from deviations from the means.

    They need no reference, and no precision matrices, which for one sample would cost more than
    its density; factors are read once.
    """
    deviations = x.double() - parameters.means[..., None]
    distances = covariance.squared_distances(parameters.precisions_cholesky, deviations)
    return torch.sub(log_joint_at_means(parameters, covariance)[..., None], distances, alpha=0.5)
