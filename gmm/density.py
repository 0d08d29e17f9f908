"""Log densities of the components, of the mixture, and responsibilities."""

import math
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gmm.covariance import Covariance
from gmm.parameters import Parameters
from gmm.statistics import Chunk, chunk_size

LogJoint = Callable[[Chunk], Float[Tensor, "run k n"]]
"""Samples to log w_k + log N(x | μ_k, Σ_k), in nats."""


def log_joint(parameters: Parameters, covariance: Covariance) -> LogJoint:
    """The log joint density of samples and components, as a function of a chunk.

    Args:
        parameters: Mixtures about the reference on which the chunks are centred.
        covariance: Their type.
    """
    log_determinant = covariance.log_determinant(
        parameters.precisions_cholesky, parameters.n_features
    )
    log_norm = log_determinant - parameters.n_features / 2 * math.log(2 * math.pi)
    constant = parameters.log_weights + log_norm
    # Multiplied out, the quadratic form is one matrix product over all runs and components at half
    # the operations. It cancels (xᵀPx - 2xᵀPμ + μᵀPμ), which float64 can afford up to about a
    # thousand standard deviations from the reference; chunks are never in float32, which cannot.
    if covariance.packs(parameters.n_features):
        return _multiplied_out(parameters, constant, covariance)
    return _residual(parameters, constant, covariance)


def _multiplied_out(
    parameters: Parameters, constant: Float[Tensor, "run k"], covariance: Covariance
) -> LogJoint:
    chol = parameters.precisions_cholesky
    linear = covariance.precision_times(chol, parameters.means)
    offset = constant - (linear * parameters.means).sum(-1) / 2
    quadratic = covariance.quadratic_coefficients(chol) / -2

    def evaluate(chunk: Chunk) -> Float[Tensor, "run k n"]:
        assert chunk.quadratics is not None
        straight = torch.addmm(offset.reshape(-1, 1), linear.flatten(0, 1), chunk.x)
        curved = quadratic.flatten(0, 1) @ chunk.quadratics
        shape = quadratic.shape[:2]
        return straight.unflatten(0, offset.shape) + curved.unflatten(0, shape)

    return evaluate


def _residual(
    parameters: Parameters, constant: Float[Tensor, "run k"], covariance: Covariance
) -> LogJoint:
    def of_run(x: Float[Tensor, "d n"], run: int) -> Float[Tensor, "k n"]:
        deviations = x - parameters.means[run, :, :, None]
        chol = parameters.precisions_cholesky[run, None]
        return covariance.squared_distances(chol, deviations[None])[0]

    def evaluate(chunk: Chunk) -> Float[Tensor, "run k n"]:
        # Run by run, so that the working set does not grow with the batch.
        distances = torch.stack([of_run(chunk.x, run) for run in range(parameters.n_runs)])
        return constant[..., None] - distances / 2

    return evaluate


def normalised(
    joint: Float[Tensor, "run k n"],
) -> tuple[Float[Tensor, "run n"], Float[Tensor, "run k n"]]:
    """Log density of the mixture and responsibilities, Bishop (2006) eqs. 9.12 and 9.23."""
    # In log space: a 1280-wide unit Gaussian has log p near -1800, and exp(-1800) is 0.
    peak = joint.amax(1, keepdim=True)
    relative = (joint - peak).exp()
    total = relative.sum(1, keepdim=True)
    return (peak + total.log())[:, 0], relative / total


def log_joints(
    x: Float[Tensor, "n d"], parameters: Parameters, covariance: Covariance
) -> Iterator[Float[Tensor, "run k n"]]:
    """The log joint density of all samples, chunk by chunk."""
    parameters = parameters.to(dtype=torch.float64, device=x.device)
    reference = parameters.centre
    evaluate = log_joint(parameters.translated(-reference), covariance)
    size = chunk_size(covariance, parameters.n_components, parameters.n_features)
    for rows in x.split(size):
        centred = (rows.double() - reference).T.contiguous()
        yield evaluate(Chunk(centred, covariance.quadratics(centred)))


def log_density(
    x: Float[Tensor, "n d"], parameters: Parameters, covariance: Covariance
) -> Float[Tensor, "run n"]:
    """Log density of the mixtures at ``x`` in nats; differentiable with respect to ``x``."""
    joints = log_joints(x, parameters, covariance)
    return torch.cat([joint.logsumexp(1) for joint in joints], -1)


def responsibilities(
    x: Float[Tensor, "n d"], parameters: Parameters, covariance: Covariance
) -> Float[Tensor, "run n k"]:
    """Probability of each component given the sample, summing to 1 over k."""
    joints = log_joints(x, parameters, covariance)
    return torch.cat([normalised(joint)[1].mT for joint in joints], 1)


def labels(
    x: Float[Tensor, "n d"], parameters: Parameters, covariance: Covariance
) -> Int[Tensor, "run n"]:
    """The most probable component of each sample."""
    return torch.cat([joint.argmax(1) for joint in log_joints(x, parameters, covariance)], -1)


def draw(
    parameters: Parameters, covariance: Covariance, n_samples: int, generator: torch.Generator
) -> tuple[Float[Tensor, "n d"], Int[Tensor, " n"]]:
    """Samples of the first run and the components they come from, component by component."""
    means, weights = parameters.means[0], parameters.weights[0]
    drawn = torch.multinomial(weights.cpu(), n_samples, replacement=True, generator=generator)
    component = drawn.sort().values.to(means.device)
    shape = (n_samples, parameters.n_features)
    noise = torch.randn(shape, dtype=means.dtype, generator=generator).to(means.device)
    factors = parameters.precisions_cholesky
    factors = factors.expand(1, parameters.n_components, *factors.shape[2:])
    counts = component.bincount(minlength=parameters.n_components).tolist()
    coloured = [
        covariance.colour(factors[:, [k]], part.T[None, None])[0, 0].T
        for k, part in enumerate(noise.split(counts))
    ]
    return torch.cat(coloured) + means[component], component
