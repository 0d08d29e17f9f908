"""k-means of a batch of restarts on the same samples: Lloyd (1982) from k-means++ seeds."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

MOST_ROUNDS = 300  # scikit-learn's limit and tolerance: its clusters are what EM users expect
RELATIVE_TOL = 1e-4
CHUNK_ELEMENTS = 2**18  # distances at a time, whatever the number of samples


def spread_samples(
    x: Float[Tensor, "n d"],
    n_clusters: int,
    sources: Sequence[torch.Generator],
    weights: Float[Tensor, " n"] | None = None,
) -> Int[Tensor, "run k"]:
    """Indices of samples far from each other: greedy k-means++, Arthur & Vassilvitskii (2007).

    Each next seed is the best of a few, drawn with the squared distance to the nearest seed.

    Args:
        x: Samples, centred so that distances lose no digits.
        n_clusters: Number of seeds per run.
        sources: One generator per run.
        weights: How often each sample counts; None for once.
    """
    n_trials = 2 + int(math.log(n_clusters))
    numbers = torch.stack(
        [
            torch.rand(n_clusters, n_trials, dtype=torch.float64, generator=source)
            for source in sources
        ]
    ).to(x.device)
    mass = x.new_ones(len(x)) if weights is None else weights.to(x.dtype)
    chosen = draw_in_proportion(mass.expand(len(sources), -1), numbers[:, 0, :1])
    nearest = squared_distances(x, x[chosen])[:, 0]
    for k in range(1, n_clusters):
        candidates = draw_in_proportion(nearest * mass, numbers[:, k])
        best = candidates.gather(1, best_candidate(x, candidates, nearest, mass))
        chosen = torch.cat([chosen, best], 1)
        nearest = nearest.minimum(squared_distances(x, x[best])[:, 0])
    return chosen


def draw_in_proportion(
    mass: Float[Tensor, "run n"], numbers: Float[Tensor, "run trial"]
) -> Int[Tensor, "run trial"]:
    """Indices drawn in proportion to ``mass``, by inverting its cumulative sum."""
    cumulative = mass.cumsum(1, dtype=torch.float64)
    drawn = torch.searchsorted(cumulative, numbers * cumulative[:, -1:], right=True)
    return drawn.clamp(max=mass.shape[1] - 1)


def best_candidate(
    x: Float[Tensor, "n d"],
    candidates: Int[Tensor, "run trial"],
    nearest: Float[Tensor, "run n"],
    mass: Float[Tensor, " n"],
) -> Int[Tensor, "run 1"]:
    """Which candidate leaves the least sum of squared distances."""
    size = chunk_size(candidates.numel())
    remaining = torch.zeros(candidates.shape, dtype=x.dtype, device=x.device)
    parts = zip(x.split(size), nearest.split(size, 1), mass.split(size), strict=True)
    for rows, known, counted in parts:
        distances = squared_distances(rows, x[candidates])
        remaining = remaining + distances.minimum(known[:, None]) @ counted
    return remaining.argmin(1, keepdim=True)


def kmeans(
    x: Float[Tensor, "n d"],
    n_clusters: int,
    sources: Sequence[torch.Generator],
    weights: Float[Tensor, " n"] | None = None,
) -> Int[Tensor, "run n"]:
    """The cluster of each sample in each run, once no centre moves any more.

    Args:
        x: Samples, centred so that distances lose no digits.
        n_clusters: Number of clusters per run.
        sources: One generator per run.
        weights: How often each sample counts; None for once.
    """
    centres = x[spread_samples(x, n_clusters, sources, weights)]
    mass = x.new_ones(len(x)) if weights is None else weights.to(x.dtype)
    still = RELATIVE_TOL * (mass @ (x - mass @ x / mass.sum()).square()).mean() / mass.sum()
    active = torch.arange(len(centres), device=x.device)
    for _ in range(MOST_ROUNDS):
        moved = updated_centres(x, centres[active], mass)
        shift = (moved - centres[active]).square().sum((1, 2))
        centres = centres.index_copy(0, active, moved)
        active = active[shift > still]
        if not len(active):
            break
    return assign(x, centres)


def assign(x: Float[Tensor, "n d"], centres: Float[Tensor, "run k d"]) -> Int[Tensor, "run n"]:
    """The nearest centre of each sample."""
    size = chunk_size(centres.shape[0] * centres.shape[1])
    nearest = [relative_distances(rows, centres).min(1).indices for rows in x.split(size)]
    return torch.cat(nearest, -1)


def updated_centres(
    x: Float[Tensor, "n d"], centres: Float[Tensor, "run k d"], mass: Float[Tensor, " n"]
) -> Float[Tensor, "run k d"]:
    """One round of Lloyd: means of the samples nearest to each centre.

    A centre that has lost all its samples moves to the sample farthest from its own centre.
    """
    nearest = assign(x, centres)
    sums, counts = torch.zeros_like(centres), centres.new_zeros(centres.shape[:2])
    size = chunk_size(centres.shape[0] * centres.shape[1])
    parts = zip(x.split(size), nearest.split(size, 1), mass.split(size), strict=True)
    for rows, part, counted in parts:
        room = centres.new_zeros(*counts.shape, len(rows))
        members = room.scatter(1, part[:, None], counted.expand(len(part), 1, -1))
        sums, counts = sums + members @ rows, counts + members.sum(-1)
    means = sums / counts.clamp(min=torch.finfo(x.dtype).tiny)[..., None]
    # Almost never: a loop over what is empty, so that the usual round pays one comparison.
    for run in (counts == 0).any(1).nonzero()[:, 0].tolist():
        empty = counts[run] == 0
        distances = squared_distances(x, centres[run, None])[0].amin(0).where(mass > 0, -1)
        farthest = distances.topk(int(empty.sum())).indices
        means[run, empty] = x[farthest]
    return means


def squared_distances(
    x: Float[Tensor, "n d"], centres: Float[Tensor, "run k d"]
) -> Float[Tensor, "run k n"]:
    """‖x - c‖²."""
    return (relative_distances(x, centres) + x.square().sum(-1)).clamp(min=0)


def relative_distances(
    x: Float[Tensor, "n d"], centres: Float[Tensor, "run k d"]
) -> Float[Tensor, "run k n"]:
    """‖x - c‖² - ‖x‖², which is one matrix product for all runs."""
    lengths = centres.square().sum(-1).reshape(-1, 1)
    products = torch.addmm(lengths, centres.flatten(0, 1), x.T, alpha=-2)
    return products.unflatten(0, centres.shape[:2])


def chunk_size(n_rows: int) -> int:
    """Samples whose distances to all centres of all runs are computed at a time."""
    return max(CHUNK_ELEMENTS // n_rows, 1024)
