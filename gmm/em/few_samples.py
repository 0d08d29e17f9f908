"""The log joint density of few samples, where the number of operations is what takes time."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gmm.covariance import Covariance
from gmm.em.parameters import Estimate

MOST_NUMBERS = 2**15
# Deviations of all samples from all means: an operation on fewer takes about as long as its call
# (a microsecond or two on a CPU), so that the form with the fewest operations is the fastest.


def are_few(x: Float[Tensor, "n d"], parameters: Estimate) -> bool:
    """Whether :func:`log_joint_of_few` is the fastest way to the log joint density."""
    return x.numel() * parameters.means.shape[:2].numel() <= MOST_NUMBERS


def log_joint_of_few(
    x: Float[Tensor, "n d"], parameters: Estimate, covariance: Covariance
) -> Float[Tensor, "run k n"]:
    """The log joint density in nats and in float64, from deviations from the means.

    They need no reference, and no precision matrices, which for one sample would cost more than
    its density; factors are read once.
    """
    chol, n_features = parameters.precisions_cholesky, parameters.n_features
    distances = covariance.squared_distances(chol, x.double().T - parameters.means[..., None])
    log_determinant = covariance.log_determinant(chol, n_features)
    at_means = parameters.log_weights + log_determinant - n_features / 2 * math.log(2 * math.pi)
    joint = torch.sub(at_means[..., None], distances, alpha=0.5)
    # Where squares overflow, the lowest log density that a number can hold.
    return joint.nan_to_num(nan=torch.finfo(joint.dtype).min)
