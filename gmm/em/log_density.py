"""Log densities of mixtures, responsibilities, and draws."""

from collections.abc import Callable, Iterable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gmm.covariance import Covariance
from gmm.em.few_samples import are_few, log_joint_of_few
from gmm.em.joint import log_joint
from gmm.em.parameters import Estimate
from gmm.em.ways import choose_way, needs_centre, task_of
from gmm.samples.statistics import Chunk, chunk_size


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
    if are_few(len(x), parameters):
        joint = log_joint_of_few(x.T, parameters.widen(x.device), covariance)
        return iter([function(_bounded(joint))])
    parameters = parameters.to(dtype=torch.float64, device=x.device)
    task = task_of(parameters, len(x), x.dtype, fitting=False)
    reference = None
    if needs_centre(parameters, covariance, task):
        reference = parameters.centre
        parameters = parameters.translate(-reference)
    way = choose_way(parameters, covariance, task)
    evaluate = log_joint(parameters, covariance, way.dtype, packs=way.packs, n_samples=len(x))

    def evaluate_rows(rows: Tensor) -> Tensor:
        # Rows stay rows: what is read once is not worth turning round.
        centred = rows if reference is None else rows - reference
        return function(_bounded(evaluate(Chunk(centred.to(way.dtype).T, covariance))))

    k, d = parameters.n_components, parameters.n_features
    size = chunk_size(covariance, k, d, way.dtype, x.device, way.packs)
    return map(evaluate_rows, [x] if len(x) <= size else x.split(size))


def _bounded(joint: Float[Tensor, "run k n"]) -> Float[Tensor, "run k n"]:
    """The lowest log density that a number can hold, where squares overflow."""
    return joint.nan_to_num(nan=torch.finfo(joint.dtype).min)


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
    return _join(mapped(lambda joint: normalise(joint)[0], x, parameters, covariance), -1)


def responsibilities(
    x: Float[Tensor, "n d"],
    parameters: Estimate,
    covariance: Covariance,
    mapped: MapJoint = map_joint,
) -> Float[Tensor, "run n k"]:
    """Probability of each component given the sample, summing to 1 over k."""
    parts = mapped(lambda joint: joint.softmax(1), x, parameters, covariance)
    return _join((part.mT for part in parts), 1)


def entropy(
    x: Float[Tensor, "n d"],
    parameters: Estimate,
    covariance: Covariance,
    mapped: MapJoint = map_joint,
) -> Float[Tensor, "run n"]:
    """Entropy of the responsibilities of each sample in nats: 0 where one component is certain."""
    return _join(mapped(_entropies, x, parameters, covariance), -1)


def _join(parts: Iterable[Tensor], dim: int) -> Tensor:
    """All parts as one tensor, without a copy of a single one."""
    listed = list(parts)
    return listed[0] if len(listed) == 1 else torch.cat(listed, dim)


def _entropies(joint: Float[Tensor, "run k n"]) -> Float[Tensor, "run n"]:
    return torch.special.entr(joint.softmax(1)).sum(1)


def labels(
    x: Float[Tensor, "n d"],
    parameters: Estimate,
    covariance: Covariance,
    mapped: MapJoint = map_joint,
) -> Int[Tensor, "run n"]:
    """The most probable component of each sample."""
    # Not argmax, which takes ten times as long where it reads across rows.
    return _join(mapped(lambda joint: joint.max(1).indices, x, parameters, covariance), -1)


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
