"""Moments about each component's own mean, for samples in float32 that are far from one mean.

About one reference, the variance of a component at distance r is a small rest of r²: float32 has no
digit of it a thousand standard deviations away. Deviations of samples from a mean nearby are exact
in float32, and what turns their sums into sums about the reference is done in float64.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from gmm.samples.statistics import Chunk, Statistics, weigh


def summarise_deviations(
    chunk: Chunk,
    resp: Float[Tensor, "run k n"],
    log_density: Float[Tensor, "run n"],
    means: Float[Tensor, "run k d"],
) -> Statistics:
    """The statistics of one chunk, with all moments about the means.

    Args:
        chunk: The samples.
        resp: Their responsibilities.
        log_density: Their log densities in nats.
        means: In the precision of the chunk, about the same reference.
    """
    resp, log_density = weigh(chunk, resp, log_density)
    first, second = [], []
    shares = resp.flatten(0, 1)
    for mean, share in zip(means.flatten(0, 1), shares, strict=True):
        deviations = chunk.x - mean[:, None]
        first.append(deviations @ share)
        second.append(chunk.covariance.second_moments(deviations, share[None, None])[0, 0])
    return Statistics(
        weight=chunk.weight,
        log_density=log_density.sum(-1, dtype=torch.float64),
        counts=resp.sum(-1, dtype=torch.float64),
        first=torch.stack(first).unflatten(0, resp.shape[:2]).double(),
        second=torch.stack(second).unflatten(0, resp.shape[:2]).double(),
    )


def move_to_reference(statistics: Statistics, means: Float[Tensor, "run k d"]) -> Statistics:
    """The statistics about the reference, of those of :func:`summarise_deviations`.

    Args:
        statistics: Sums in float64, of a type with one matrix per component.
        means: The means that they are about, in float64.
    """
    counts, first = statistics.counts[..., None], statistics.first
    moved = first + counts * means
    # Σ(y + μ)(y + μ)ᵀ = Σyyᵀ + (Σy)μᵀ + μ(Σ(y + μ))ᵀ
    outer = first[..., :, None] * means[..., None, :] + means[..., :, None] * moved[..., None, :]
    return replace(statistics, first=moved, second=statistics.second + outer.flatten(2))
