"""Log densities of the components, of the mixture, and responsibilities."""

import math
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gmm.covariance import Covariance
from gmm.covariance.products import pad_rows, unpad_rows
from gmm.em.parameters import Estimate
from gmm.samples.in_memory import centre_chunk
from gmm.samples.statistics import Chunk, Statistics, chunk_size

FLOAT32_INFLATION = 100.0  # see Covariance.inflation: float32 loses 1e-5 nats per feature there

LogJoint = Callable[[Chunk], Float[Tensor, "run k n"]]
"""Samples to log w_k + log N(x | μ_k, Σ_k), in nats."""

FLOAT32_REACH = 10.0
# Squared standard deviations per feature from the reference to a component. Multiplied out, a
# distance is the small rest of terms this large: float32 loses 1e-6 nats per feature there, and
# float64 loses as much a thousand standard deviations further out.


def need_float64(
    parameters: Estimate, covariance: Covariance, dtype: torch.dtype
) -> Bool[Tensor, " run"]:
    """Which runs have to be computed in float64: those of which float32 would lose digits.

    Args:
        parameters: Mixtures about the reference.
        covariance: Their type.
        dtype: Precision of the samples.
    """
    chol, means = parameters.precisions_cholesky, parameters.means
    if dtype == torch.float64 or not covariance.in_float32:
        return torch.ones_like(means[:, 0, 0], dtype=torch.bool)
    pull = covariance.precision_times(chol, means)
    reach = (pull * means).sum(-1).amax(1) / parameters.n_features
    # Not >=: a run of NaN is not one for float32 either.
    near = (reach < FLOAT32_REACH) & (covariance.inflation(chol).amax(1) < FLOAT32_INFLATION)
    return ~near


def working_dtype(parameters: Estimate, covariance: Covariance, dtype: torch.dtype) -> torch.dtype:
    """The precision to score samples of a precision in; all mixtures in the same."""
    double = need_float64(parameters, covariance, dtype)
    return torch.float64 if double.any() else torch.float32


def log_joint(
    parameters: Estimate, covariance: Covariance, dtype: torch.dtype = torch.float64
) -> LogJoint:
    """The log joint density of samples and components, as a function of a chunk.

    Multiplied out, xᵀPx - 2xᵀPμ + μᵀPμ, it is one matrix product over all runs and components at
    half the operations of the residual form ‖Uᵀ(x - μ)‖². That is for covariances that do not pack.

    Args:
        parameters: Mixtures about the reference on which the chunks are centred.
        covariance: Their type.
        dtype: Precision of the chunks.
    """
    if covariance.shares_form:
        return _with_shared_form(parameters, covariance, dtype)
    if covariance.packs(parameters.n_features):
        return _multiplied_out(parameters, covariance, dtype)
    return _residual(parameters, covariance, dtype)


def log_joint_up_to_form(
    parameters: Estimate, covariance: Covariance, dtype: torch.dtype = torch.float64
) -> LogJoint:
    """The log joint density without what all components share: with one shared form, -xᵀPx / 2.

    Responsibilities depend on nothing else, and it is linear in the samples.
    """
    if not covariance.shares_form:
        return log_joint(parameters, covariance, dtype)
    return _straight(parameters, covariance, dtype)


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
        lost = lost + (_rounding(_form(parameters, covariance), dtype) * statistics.second).sum(-1)
    return lost.sum(-1)


def _rounding(values: Float[Tensor, "run ..."], dtype: torch.dtype) -> Float[Tensor, "run ..."]:
    return values - values.to(dtype).to(values.dtype)


def _constant(parameters: Estimate, covariance: Covariance) -> Float[Tensor, "run k"]:
    """The log joint density of each component at its mean."""
    n_features = parameters.n_features
    log_determinant = covariance.log_determinant(parameters.precisions_cholesky, n_features)
    return parameters.log_weights + log_determinant - n_features / 2 * math.log(2 * math.pi)


def _linear(
    parameters: Estimate, covariance: Covariance
) -> tuple[Float[Tensor, "run k"], Float[Tensor, "run k d"]]:
    """The log joint density of each component at the reference, and its gradient Pμ there."""
    slope = covariance.precision_times(parameters.precisions_cholesky, parameters.means)
    return _constant(parameters, covariance) - (slope * parameters.means).sum(-1) / 2, slope


def _form(parameters: Estimate, covariance: Covariance) -> Float[Tensor, "run k m"]:
    """Coefficients of -xᵀPx / 2 in the quadratics of x."""
    return covariance.quadratic_coefficients(parameters.precisions_cholesky) / -2


def _multiplied_out(parameters: Estimate, covariance: Covariance, dtype: torch.dtype) -> LogJoint:
    straight = _straight_rows(parameters, covariance, dtype)
    curvature = _rows(_form(parameters, covariance), dtype)

    def evaluate(chunk: Chunk) -> Float[Tensor, "run k n"]:
        assert chunk.quadratics is not None
        joint = torch.addmm(straight(chunk), curvature, chunk.quadratics)
        return unpad_rows(joint, parameters.weights.shape)

    return evaluate


def _straight(parameters: Estimate, covariance: Covariance, dtype: torch.dtype) -> LogJoint:
    """The part that is linear in the samples."""
    straight = _straight_rows(parameters, covariance, dtype)
    return lambda chunk: unpad_rows(straight(chunk), parameters.weights.shape)


def _straight_rows(
    parameters: Estimate, covariance: Covariance, dtype: torch.dtype
) -> Callable[[Chunk], Float[Tensor, "padded n"]]:
    level, incline = (_rows(part, dtype) for part in _linear(parameters, covariance))
    return lambda chunk: torch.addmm(level, incline, chunk.x)


def _rows(coefficients: Float[Tensor, "run k *m"], dtype: torch.dtype) -> Float[Tensor, "padded m"]:
    """The coefficients of all components of all runs, one row each."""
    n_rows = coefficients.shape[:2].numel()
    return pad_rows(coefficients.reshape(n_rows, -1).to(dtype))


def _with_shared_form(parameters: Estimate, covariance: Covariance, dtype: torch.dtype) -> LogJoint:
    straight = _straight(parameters, covariance, dtype)
    chol = parameters.precisions_cholesky.to(dtype)

    def evaluate(chunk: Chunk) -> Float[Tensor, "run k n"]:
        form = covariance.squared_distances(chol, chunk.x.expand(len(chol), 1, -1, -1))
        return straight(chunk) - form / 2

    return evaluate


def _residual(parameters: Estimate, covariance: Covariance, dtype: torch.dtype) -> LogJoint:
    constant = _constant(parameters, covariance)[..., None].to(dtype)
    parameters = parameters.to(dtype=dtype, device=constant.device)

    def run_distances(x: Float[Tensor, "d n"], run: int) -> Float[Tensor, "k n"]:
        deviations = x - parameters.means[run, :, :, None]
        chol = parameters.precisions_cholesky[run, None]
        return covariance.squared_distances(chol, deviations[None])[0]

    def evaluate(chunk: Chunk) -> Float[Tensor, "run k n"]:
        # Run by run, so that the working set does not grow with the batch.
        distances = torch.stack([run_distances(chunk.x, run) for run in range(parameters.n_runs)])
        return constant - distances / 2

    return evaluate


def normalise(
    joint: Float[Tensor, "run k n"],
) -> tuple[Float[Tensor, "run n"], Float[Tensor, "run k n"]]:
    """Log density of the mixture and responsibilities, Bishop (2006) eqs. 9.12 and 9.23."""
    # In log space: a 1280-wide unit Gaussian has log p near -1800, and exp(-1800) is 0. The largest
    # responsibility gives the normaliser without a second pass of exponentials, which logsumexp
    # would need and which is slow where they are too small for float32.
    resp = joint.softmax(1)
    return joint.amax(1) - resp.amax(1).log(), resp


def map_joint(
    function: Callable[[Float[Tensor, "run k n"]], Tensor],
    x: Float[Tensor, "n d"],
    parameters: Estimate,
    covariance: Covariance,
) -> Iterator[Tensor]:
    """A function of the log joint density of all samples, chunk by chunk."""
    parameters = parameters.to(dtype=torch.float64, device=x.device)
    reference = parameters.centre
    parameters = parameters.translate(-reference)
    dtype = working_dtype(parameters, covariance, x.dtype)
    evaluate = log_joint(parameters, covariance, dtype)

    def evaluate_rows(rows: Float[Tensor, "part d"]) -> Tensor:
        joint = evaluate(centre_chunk(rows, None, reference, covariance, dtype))
        # Where squares overflow, the lowest log density that a number can hold.
        return function(joint.nan_to_num(nan=torch.finfo(dtype).min))

    k, d = parameters.n_components, parameters.n_features
    return map(evaluate_rows, x.split(chunk_size(covariance, k, d, dtype, x.device)))


MapJoint = Callable[..., Iterator[Tensor]]
"""How samples become log joint densities: :func:`map_joint`, or what takes its place."""


def log_joints(
    x: Float[Tensor, "n d"], parameters: Estimate, covariance: Covariance
) -> Iterator[Float[Tensor, "run k n"]]:
    """The log joint density of all samples, chunk by chunk."""
    return map_joint(lambda joint: joint, x, parameters, covariance)


def log_density(
    x: Float[Tensor, "n d"],
    parameters: Estimate,
    covariance: Covariance,
    mapped: MapJoint = map_joint,
) -> Float[Tensor, "run n"]:
    """Log density of the mixtures at ``x`` in nats; differentiable with respect to ``x``."""
    parts = mapped(lambda joint: normalise(joint)[0], x, parameters, covariance)
    return torch.cat(list(parts), -1)


def responsibilities(
    x: Float[Tensor, "n d"],
    parameters: Estimate,
    covariance: Covariance,
    mapped: MapJoint = map_joint,
) -> Float[Tensor, "run n k"]:
    """Probability of each component given the sample, summing to 1 over k."""
    parts = mapped(lambda joint: joint.softmax(1), x, parameters, covariance)
    return torch.cat([part.mT for part in parts], 1)


def entropy(
    x: Float[Tensor, "n d"],
    parameters: Estimate,
    covariance: Covariance,
    mapped: MapJoint = map_joint,
) -> Float[Tensor, "run n"]:
    """Entropy of the responsibilities of each sample in nats: 0 where one component is certain."""

    def entropies(joint: Float[Tensor, "run k n"]) -> Float[Tensor, "run n"]:
        return torch.special.entr(joint.softmax(1)).sum(1)

    return torch.cat(list(mapped(entropies, x, parameters, covariance)), -1)


def labels(
    x: Float[Tensor, "n d"],
    parameters: Estimate,
    covariance: Covariance,
    mapped: MapJoint = map_joint,
) -> Int[Tensor, "run n"]:
    """The most probable component of each sample."""
    return torch.cat(list(mapped(lambda joint: joint.argmax(1), x, parameters, covariance)), -1)


def draw(
    parameters: Estimate,
    covariance: Covariance,
    n_samples: int,
    generator: torch.Generator,
    only: int | None = None,
) -> tuple[Float[Tensor, "n d"], Int[Tensor, " n"]]:
    """Samples of the first run and the components they come from, component by component.

    Args:
        parameters: A batch of one run.
        covariance: Its type.
        n_samples: Number of samples.
        generator: Source of random numbers.
        only: The component that all come from; None for each by its weight.
    """
    means, weights = parameters.means[0], parameters.weights[0]
    if only is not None:
        weights = torch.zeros_like(weights).index_fill(0, torch.tensor(only).to(weights.device), 1)
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
