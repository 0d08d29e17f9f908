"""Marginals and conditionals of mixtures: mixtures of the same type in fewer features."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gmm.covariance import Covariance
from gmm.em.log_density import log_joints, normalise
from gmm.em.parameters import Estimate, Parameters


def marginal(
    parameters: Estimate, covariance: Covariance, features: Int[Tensor, " kept"]
) -> Estimate:
    """The mixtures of some features, whatever the others are: Bishop (2006) eq. 2.98.

    Args:
        parameters: Parameters of all features.
        covariance: Their type, which is also the result's.
        features: Indices, in the order wanted.
    """
    return replace(
        parameters,
        means=parameters.means[..., features],
        precisions_cholesky=covariance.marginal(parameters.precisions_cholesky, features),
    )


def condition(
    parameters: Estimate,
    covariance: Covariance,
    given: Int[Tensor, " given"],
    values: Float[Tensor, " given"],
) -> Parameters:
    """The mixtures of the other features, where some have given values.

    A mixture of the components' conditionals, Bishop (2006) eqs. 2.96 and 2.97, each weighted by
    its responsibility for the values.

    Args:
        parameters: Parameters of all features.
        covariance: Their type, which is also the result's.
        given: Indices of the features whose values are known.
        values: Those values.
    """
    kept = others(given, parameters.n_features)
    means = parameters.means
    shift, chol = covariance.conditional(
        parameters.precisions_cholesky,
        kept,
        given,
        (values - means[..., given])[..., None],
    )
    (joint,) = log_joints(values[None], marginal(parameters, covariance, given), covariance)
    weights = normalise(joint)[1][..., 0].to(means.dtype)
    return Parameters(weights, means[..., kept] + shift[..., 0], chol)


def others(features: Int[Tensor, " some"], n_features: int) -> Int[Tensor, " rest"]:
    """The indices of all other features, ascending."""
    rest = torch.ones(n_features, dtype=torch.bool, device=features.device)
    rest[features] = False
    return rest.nonzero()[:, 0]


def validate_features(dims: Iterable[int], n_features: int, most: int) -> Int[Tensor, " some"]:
    """Features as a tensor of indices.

    Args:
        dims: The features as a user passes them.
        n_features: Number of features of the mixture.
        most: Largest number of features that may be chosen.

    Raises:
        ValueError: If there are none, too many, repeated ones, or ones that do not exist.
    """
    chosen = [int(dim) for dim in dims]
    inside = all(0 <= dim < n_features for dim in chosen)
    if not inside or len(set(chosen)) < len(chosen) or not 1 <= len(chosen) <= most:
        raise ValueError(
            f"dims={chosen}, expected 1 to {most} different features out of 0 to {n_features - 1}; "
            f"count features from 0"
        )
    return torch.tensor(chosen)
