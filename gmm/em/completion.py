"""Samples with missing values: their marginals and their expected statistics."""

import math
from dataclasses import replace
from itertools import product

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gmm.covariance import COVARIANCES, Covariance
from gmm.em.conditioning import marginal
from gmm.em.joint import log_joint
from gmm.em.log_density import normalise
from gmm.em.parameters import Estimate
from gmm.samples.statistics import Chunk, Statistics


def select_observed(
    x: Float[Tensor, "n d"],
    observed: Bool[Tensor, " d"],
    parameters: Estimate,
    covariance: Covariance,
) -> tuple[Float[Tensor, "n o"], Estimate, Covariance]:
    """The observed features of samples, and the mixtures of those.

    Where none is observed, there is one feature instead, 0, which has density 1 under every
    component. So a sample without any known value has log density 0, and the weights as
    responsibilities.
    """
    if observed.any():
        features = observed.nonzero()[:, 0]
        return x[:, features], marginal(parameters, covariance, features), covariance
    origin = torch.zeros_like(parameters.means[..., :1])
    scale = torch.full_like(origin, math.sqrt(2 * math.pi))
    certain = replace(parameters, means=origin, precisions_cholesky=scale)
    return torch.zeros_like(x[:, :1]), certain, COVARIANCES["spherical"]


def completed_statistics(
    chunk: Chunk, absent: Bool[Tensor, " d"], parameters: Estimate, covariance: Covariance
) -> Statistics:
    """Expected statistics of samples that miss the same features, at least one.

    Args:
        chunk: Centred samples; their missing values are not read.
        absent: The features that they miss.
        parameters: Mixtures about the reference of the chunk.
        covariance: Their type.
    """
    seen, observed, of_seen = select_observed(chunk.x.T, ~absent, parameters, covariance)
    columns = seen.T.contiguous()
    joint = log_joint(observed, of_seen)(Chunk(columns, of_seen))
    log_density, resp = normalise(joint)
    weights = chunk.x.new_ones(len(seen)) if chunk.weights is None else chunk.weights
    resp, log_density = resp * weights, log_density * weights
    first, second = completed_moments(chunk.x, absent, resp, parameters, covariance)
    return Statistics(weights.sum(), log_density.sum(-1), resp.sum(-1), first, second)


def completed_moments(
    x: Float[Tensor, "d n"],
    absent: Bool[Tensor, " d"],
    resp: Float[Tensor, "run k n"],
    parameters: Estimate,
    covariance: Covariance,
) -> tuple[Float[Tensor, "run k d"], Float[Tensor, "run kq m"]]:
    """Expected first and second moments: Ghahramani & Jordan (1994), section 4.1.

    What is missing has a conditional mean μ and covariance C = F Fᵀ under each component. As
    E[x xᵀ] = μ μᵀ + C, the columns of F count as further samples of the second moments, each as
    often as all samples of the component together; so no type of covariance needs its own sums.
    """
    missing, known = absent.nonzero()[:, 0], (~absent).nonzero()[:, 0]
    deviations = x[known] - parameters.means[..., known, None]
    shift, chol = covariance.conditional(parameters.precisions_cholesky, missing, known, deviations)
    expected = parameters.means[..., missing, None] + shift
    eye = torch.eye(len(missing), dtype=x.dtype, device=x.device)
    spread = covariance.colour(chol, eye.expand(*resp.shape[:2], -1, -1))
    counts = resp.sum(-1, keepdim=True).expand(*resp.shape[:2], len(missing))
    first, second = [], []
    for run, k in product(*map(range, resp.shape[:2])):
        completed = x.index_copy(0, missing, expected[run, k])
        further = x.new_zeros(len(x), len(missing)).index_copy(0, missing, spread[run, k])
        both = torch.cat([completed, further], 1)
        shares = torch.cat([resp[run, k], counts[run, k]])[None, None]
        first.append(completed @ resp[run, k])
        second.append(covariance.second_moments(both, None, shares)[0, 0])
    per_matrix = covariance.inner_shape(*parameters.means.shape[1:])[0]
    sums = torch.stack(second).reshape(len(resp), per_matrix, -1, second[0].shape[-1]).sum(2)
    return torch.stack(first).unflatten(0, resp.shape[:2]), sums
