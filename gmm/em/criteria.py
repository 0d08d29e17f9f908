"""Information criteria: likelihood against the number of free parameters."""

import math

from gmm.covariance import Covariance
from gmm.em.parameters import Estimate


def n_parameters(parameters: Estimate, covariance: Covariance) -> int:
    """Number of free parameters of one mixture: covariances, means and all but one weight."""
    n_components, n_features = parameters.n_components, parameters.n_features
    in_covariances = covariance.n_parameters(n_components, n_features)
    return in_covariances + n_components * n_features + n_components - 1


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
