"""Information criteria: likelihood against the number of free parameters."""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.covariance import Covariance
from gmm.em.parameters import Estimate
from gmm.samples.placement import to_tensor
from gmm.samples.validation import validate_weights


def n_parameters(parameters: Estimate, covariance: Covariance) -> int:
    """Number of free parameters of one mixture: covariances, means and all but one weight."""
    n_components, n_features = parameters.n_components, parameters.n_features
    in_covariances = covariance.n_parameters(n_components, n_features)
    return in_covariances + n_components * n_features + n_components - 1


def log_likelihood(
    scores: np.ndarray | Tensor, sample_weight: ArrayLike | Tensor | None
) -> tuple[float, float]:
    """The log likelihood of samples in nats, and how many they are, each as often as it counts.

    Args:
        scores: Their log densities in nats.
        sample_weight: How often each counts; None for once.
    """
    if isinstance(scores, Tensor):
        scores = scores.detach()
    if sample_weight is None:
        kind = torch.float64 if isinstance(scores, Tensor) else np.float64
        return float(scores.sum(dtype=kind)), float(len(scores))  # type: ignore[reportArgumentType]
    values = to_tensor(scores).double()
    weights = validate_weights(sample_weight, values[:, None])
    return float(weights @ values), float(weights.sum())


def mean_log_density(
    scores: np.ndarray | Tensor, sample_weight: ArrayLike | Tensor | None
) -> float:
    """The mean log density of a sample in nats; arguments as for :func:`log_likelihood`."""
    if sample_weight is None:  # scikit-learn's mean, in the precision of the scores
        return float((scores.detach() if isinstance(scores, Tensor) else scores).mean())
    total, n_samples = log_likelihood(scores, sample_weight)
    return total / n_samples


def bic(log_likelihood: float, n_samples: float | int, n_parameters: int) -> float:
    """Bayesian information criterion, Schwarz (1978), in nats; the lower the better."""
    return -2 * log_likelihood + n_parameters * math.log(n_samples)


def aic(log_likelihood: float, n_parameters: int) -> float:
    """Akaike's information criterion (1974), in nats; the lower the better."""
    return -2 * log_likelihood + 2 * n_parameters


def icl(bic: float, entropy: float) -> float:
    """Integrated completed likelihood, Biernacki, Celeux & Govaert (2000); the lower the better.

    It also charges for components that share samples, so that it counts clusters and not Gaussians.

    Args:
        bic: Bayesian information criterion in nats.
        entropy: Entropy of the responsibilities of all samples, in nats.
    """
    return bic + 2 * entropy
