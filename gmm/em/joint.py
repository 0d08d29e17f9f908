"""The joint density of samples and components, in the forms in which it can be computed."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from gmm.covariance import Covariance
from gmm.covariance.products import pad_rows, unpad_rows
from gmm.em.parameters import Estimate
from gmm.em.ways import task_of
from gmm.samples.statistics import Chunk, Statistics

LogJoint = Callable[[Chunk], Float[Tensor, "run k n"]]
"""Samples to log w_k + log N(x | μ_k, Σ_k), in nats."""


def log_joint(
    parameters: Estimate,
    covariance: Covariance,
    dtype: torch.dtype = torch.float64,
    *,
    packs: bool | None = None,
    n_samples: int = 1000,
) -> LogJoint:
    """The log joint density of samples and components, as a function of a chunk.

    Multiplied out, xᵀPx - 2xᵀPμ + μᵀPμ, it is one matrix product over all runs and components at
    half the operations of the residual form ‖Uᵀ(x - μ)‖², which needs no products of features and
    loses fewer digits.

    Args:
        parameters: Mixtures about the reference on which the chunks are centred.
        covariance: Their type.
        dtype: Precision of the chunks.
        packs: Whether it is multiplied out; None for what is cheaper.
        n_samples: How many samples there are in all chunks.
    """
    if covariance.shares_form:
        return _with_shared_form(parameters, covariance, dtype, n_samples)
    if packs is None:
        packs = covariance.packs(task_of(parameters, n_samples, dtype, fitting=False))
    if packs:
        return _multiplied_out(parameters, covariance, dtype, n_samples)
    return _residual(parameters, covariance, dtype, n_samples)


def log_joint_up_to_form(
    parameters: Estimate,
    covariance: Covariance,
    dtype: torch.dtype = torch.float64,
    *,
    packs: bool | None = None,
    n_samples: int = 1000,
) -> LogJoint:
    """The log joint density without what all components share: with one shared form, -xᵀPx / 2.

    Responsibilities depend on nothing else, and it is linear in the samples.
    """
    if not leaves_form_out(covariance, n_samples, parameters.n_features):
        return log_joint(parameters, covariance, dtype, packs=packs, n_samples=n_samples)
    return _straight(parameters, covariance, dtype, n_samples)


def leaves_form_out(covariance: Covariance, n_samples: int, n_features: int) -> bool:
    """Whether :func:`log_joint_up_to_form` leaves a form out, and :func:`shared_form` adds it.

    Its trace needs the precision matrix, a product of d × d × d, while that of a sample is one of
    d × d.
    """
    return covariance.shares_form and n_samples > n_features


def shared_form(
    parameters: Estimate, covariance: Covariance, second: Float[Tensor, "run 1 m"]
) -> Float[Tensor, " run"]:
    """Sums over samples of the -xᵀPx / 2 left out by :func:`log_joint_up_to_form`, as traces."""
    precisions = covariance.precisions(parameters.precisions_cholesky)
    return (precisions.flatten(2) * second).sum((1, 2)) / -2


def rounding_loss(
    parameters: Estimate, covariance: Covariance, dtype: torch.dtype, statistics: Statistics
) -> Float[Tensor, " run"]:
    """What the sums lost when coefficients of the log joint density were rounded to ``dtype``.

    To first order: the gradient of a log density with respect to the coefficients is the statistics
    themselves. Random errors of samples average out; errors of coefficients are the same for every
    sample.
    """
    offset, slope = _linear(parameters, covariance)
    lost = _rounding(offset, dtype) * statistics.counts
    lost = lost + (_rounding(slope, dtype) * statistics.first).sum(-1)
    if not covariance.shares_form:
        form = covariance.precisions(parameters.precisions_cholesky).flatten(2) / -2
        lost = lost + (_rounding(form, dtype) * statistics.second).sum(-1)
    return lost.sum(-1)


def _rounding(values: Float[Tensor, "run ..."], dtype: torch.dtype) -> Float[Tensor, "run ..."]:
    return values - values.to(dtype).to(values.dtype)


def log_joint_at_means(parameters: Estimate, covariance: Covariance) -> Float[Tensor, "run k"]:
    """The log joint density of each component at its mean, in nats."""
    n_features = parameters.n_features
    log_determinant = covariance.log_determinant(parameters.precisions_cholesky, n_features)
    return parameters.log_weights + log_determinant - n_features / 2 * math.log(2 * math.pi)


def _linear(
    parameters: Estimate, covariance: Covariance
) -> tuple[Float[Tensor, "run k"], Float[Tensor, "run k d"]]:
    """The log joint density of each component at the reference, and its gradient Pμ there."""
    slope = covariance.precision_times(parameters.precisions_cholesky, parameters.means)
    at_reference = torch.sub(
        log_joint_at_means(parameters, covariance), (slope * parameters.means).sum(-1), alpha=0.5
    )
    return at_reference, slope


def _multiplied_out(
    parameters: Estimate, covariance: Covariance, dtype: torch.dtype, n_samples: int
) -> LogJoint:
    offset, slope = _linear(parameters, covariance)
    form = covariance.quadratic_coefficients(parameters.precisions_cholesky) / -2
    natural = _rows(torch.cat([slope, form], -1), dtype, n_samples)  # Bishop (2006) eq. 2.220
    level = _rows(offset[..., None], dtype, n_samples)

    def evaluate(chunk: Chunk) -> Tensor:
        joint, first = level, 0
        for piece in chunk.monomials:
            end = first + piece.shape[0]
            joint = torch.addmm(joint, natural[:, first:end], piece)
            first = end
        return unpad_rows(joint, parameters.weights.shape)

    return evaluate


def _straight(
    parameters: Estimate, covariance: Covariance, dtype: torch.dtype, n_samples: int
) -> LogJoint:
    """The part that is linear in the samples."""
    offset, slope = _linear(parameters, covariance)
    level = _rows(offset[..., None], dtype, n_samples)
    incline = _rows(slope, dtype, n_samples)
    shape = parameters.weights.shape
    return lambda chunk: unpad_rows(torch.addmm(level, incline, chunk.x), shape)


def _rows(
    values: Float[Tensor, "run k _"], dtype: torch.dtype, n_samples: int
) -> Float[Tensor, "padded _"]:
    """Coefficients of all components of all runs, one row each."""
    return pad_rows(values.flatten(0, 1).to(dtype), values.shape[0], n_samples)


def _with_shared_form(
    parameters: Estimate, covariance: Covariance, dtype: torch.dtype, n_samples: int
) -> LogJoint:
    straight = _straight(parameters, covariance, dtype, n_samples)
    chol, origin = parameters.precisions_cholesky, torch.zeros_like(parameters.means[:, :1])
    distances = covariance.distances_from(chol.to(dtype), origin, n_samples)
    return lambda chunk: straight(chunk) - distances(chunk.x) / 2


def _residual(
    parameters: Estimate, covariance: Covariance, dtype: torch.dtype, n_samples: int
) -> LogJoint:
    constant = log_joint_at_means(parameters, covariance)[..., None].to(dtype)
    chol = parameters.precisions_cholesky.to(dtype)
    distances = covariance.distances_from(chol, parameters.means, n_samples)
    return lambda chunk: torch.sub(constant, distances(chunk.x), alpha=0.5)
