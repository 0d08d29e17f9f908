"""Stepwise EM: one M-step per batch, from statistics that forget slowly.

Cappé & Moulines (2009), doi:10.1111/j.1467-9868.2009.00698.x, with the step sizes of Liang & Klein
(2009), "Online EM for Unsupervised Models", NAACL.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any

import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.covariance import Covariance
from gmm.em.objective import Objective
from gmm.em.parameters import Estimate
from gmm.samples.in_memory import InMemory
from gmm.samples.statistics import Statistics, summarise, total


@dataclass(frozen=True)
class Memory:
    """The samples that a mixture was estimated from, without the samples.

    Args:
        statistics: Their statistics, about the reference of the points.
        points: A few samples with nearly their mean and variance, see :func:`recall`.
    """

    statistics: Statistics
    points: InMemory


@dataclass(frozen=True)
class Step:
    """The outcome of one batch.

    Args:
        parameters: The mixture, a batch of one run.
        statistics: Statistics that it was estimated from, about the reference of the batch.
        lower_bound: The bound of the batch alone, under the mixture before it.
    """

    parameters: Estimate
    statistics: Statistics
    lower_bound: float


def step(
    batch: InMemory,
    parameters: Estimate,
    memory: Statistics,
    objective: Objective,
    decay: float,
) -> Step:
    """E-step on a batch, and an M-step from it and from what is remembered.

    Args:
        batch: New samples, about the reference of ``memory``.
        parameters: The mixture so far.
        memory: The statistics that it was estimated from.
        objective: The objective to climb.
        decay: See :func:`blend`.

    Raises:
        ValueError: If a covariance is no longer positive definite.
    """
    before = parameters.translate(-batch.reference)
    batch_statistics = objective.expectation(batch, before)
    statistics = blend(memory, batch_statistics, decay)
    maximum = objective.maximise(statistics)
    after = maximum.parameters
    if not maximum.valid.all():
        raise ValueError(
            "partial_fit leads to a covariance that is not positive definite; increase reg_covar, "
            "lower n_components or pass larger batches"
        )
    bound = float(objective.lower_bound(batch_statistics, before, after))
    return Step(after.translate(batch.reference), statistics, bound)


def blend(memory: Statistics, batch: Statistics, decay: float) -> Statistics:
    """Statistics of all samples: per sample, (1 - η) of the memory and η of the batch.

    The step size is η = (b / n)^decay for a batch of b of the n samples seen with it. For batches
    of equal size this is Liang and Klein's (t + 2)^-decay after t + 1 batches; a small batch among
    large ones counts less.

    Args:
        memory: Statistics of the samples so far.
        batch: Statistics of the new samples.
        decay: Above 0.5, so that the noise of the batches averages out. 1 counts all samples alike;
            a smaller one forgets the first samples sooner, which a worse mixture has assigned.
    """
    weight = memory.weight + batch.weight
    share = (batch.weight / weight) ** decay
    old, new = (1 - share) * weight / memory.weight, share * weight / batch.weight
    return replace(scale(memory, old) + scale(batch, new), weight=weight)


def scale(statistics: Statistics, factor: Float[Tensor, ""]) -> Statistics:
    """The statistics of the samples if each counted ``factor`` times."""
    values = [getattr(statistics, field.name) * factor for field in fields(statistics)]
    return Statistics(*values)


def recall(
    parameters: Estimate,
    covariance: Covariance,
    weight: float,
    reference: Float[Tensor, " d"],
) -> InMemory:
    """Weighted samples that a mixture fits exactly, component after component: 2d for each.

    μ ± √d · aᵢ, where the aᵢ are columns of a square root of the covariance, have mean and
    covariance of the component (Julier & Uhlmann 1997). So a mixture is remembered without its
    samples.

    Args:
        parameters: One mixture.
        covariance: Its type.
        weight: Number of samples that it stands for.
        reference: To take statistics about.
    """
    k, d = parameters.n_components, parameters.n_features
    eye = torch.eye(d, dtype=reference.dtype, device=reference.device) * d**0.5
    directions = torch.cat([eye, -eye], 1).expand(1, k, d, 2 * d)
    spread = covariance.colour(parameters.precisions_cholesky, directions)[0]
    points = (parameters.means[0, :, :, None] + spread).mT.flatten(0, 1)
    weights = (parameters.weights[0] * weight / (2 * d)).repeat_interleave(2 * d)
    return InMemory(points.contiguous(), weights, reference)


def remember(
    kept: Mapping[str, ArrayLike | Tensor] | None,
    parameters: Estimate,
    covariance: Covariance,
    weight: float,
) -> Memory:
    """The statistics that an estimator has kept, or those that its mixture implies.

    Args:
        kept: Statistics by name and their ``reference``; None after a fit, which keeps none.
        parameters: The mixture.
        covariance: Its type.
        weight: Number of samples that it stands for.
    """
    values = {
        name: torch.as_tensor(part).to(parameters.means) for name, part in (kept or {}).items()
    }
    reference = values.pop("reference", parameters.centre)
    points = recall(parameters, covariance, weight, reference)
    statistics = Statistics(**values) if values else memory_of(points, parameters, covariance)
    return Memory(statistics, points)


def memory_of(points: InMemory, parameters: Estimate, covariance: Covariance) -> Statistics:
    """The statistics of :func:`recall` samples, each of which belongs to its own component."""
    owners = torch.eye(parameters.n_components, dtype=points.dtype, device=points.x.device)
    size = 2 * parameters.n_features
    chunks = points.chunks(covariance, size)
    responsibilities = [owner[None, :, None].expand(1, -1, size) for owner in owners]
    chol = parameters.precisions_cholesky
    return total(
        summarise(chunk, resp, torch.zeros_like(resp[:, 0]), chol)
        for chunk, resp in zip(chunks, responsibilities, strict=True)
    )


def check_decay(decay: Any) -> None:
    """Refuses a decay with which stepwise EM does not converge.

    Raises:
        ValueError: If it is not above 0.5 and at most 1.
    """
    if not isinstance(decay, Real) or not 0.5 < float(decay) <= 1:
        raise ValueError(f"step_decay={decay!r}, expected a number above 0.5 and at most 1")
