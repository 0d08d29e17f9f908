"""k-means of a batch of restarts on the same samples: Lloyd (1982) from k-means++ seeds."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gmm.memory import budget_of

MOST_ROUNDS = 300  # scikit-learn's limit and tolerance: its clusters are what EM users expect
RELATIVE_TOL = 1e-4
UNITS = 2.0**52  # that a whole is counted in: as fine as float64, which holds all their sums


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
    shape = (n_clusters, n_trials)
    drawn = [torch.rand(shape, dtype=torch.float64, generator=source) for source in sources]
    numbers = torch.stack(drawn).to(x.device)
    mass = None if weights is None else weights.to(x.dtype)
    if mass is None:
        chosen = (numbers[:, 0, :1] * len(x)).long()
    else:
        chosen = draw_in_proportion(mass.expand(len(sources), -1), numbers[:, 0, :1])
    lengths = squared_lengths(x)
    nearest = squared_distances(x, x[chosen], lengths)[:, 0]
    for k in range(1, n_clusters):
        weighted = nearest if mass is None else nearest * mass
        candidates = draw_in_proportion(weighted, numbers[:, k])
        best, nearest = best_candidate(x, candidates, nearest, mass, lengths)
        chosen = torch.cat([chosen, best], 1)
    return chosen


def draw_in_proportion(
    mass: Float[Tensor, "run n"], numbers: Float[Tensor, "run trial"]
) -> Int[Tensor, "run trial"]:
    """Indices drawn in proportion to ``mass``, by inverting its cumulative sum."""
    cumulative = cumulate(mass)
    drawn = torch.searchsorted(cumulative, numbers * cumulative[:, -1:], right=True)
    return drawn.clamp(max=mass.shape[1] - 1)


def cumulate(mass: Float[Tensor, "run n"]) -> Float[Tensor, "run n"]:
    """The cumulative sum in float64, or in units of a share of the whole."""
    if mass.device.type == "cpu":
        return mass.cumsum(1, dtype=torch.float64)
    # A GPU adds floating point in an order that no two calls share, and whole numbers exactly.
    total = mass.sum(1, keepdim=True, dtype=torch.float64)
    shares = mass.double() * (UNITS / total.clamp_min(torch.finfo(torch.float64).tiny))
    return shares.long().cumsum(1).double()


def best_candidate(
    x: Float[Tensor, "n d"],
    candidates: Int[Tensor, "run trial"],
    nearest: Float[Tensor, "run n"],
    mass: Float[Tensor, " n"] | None,
    lengths: Float[Tensor, " n"],
) -> tuple[Int[Tensor, "run 1"], Float[Tensor, "run n"]]:
    """The candidate that leaves the least sum of squared distances, and what it leaves of each."""
    size = chunk_size(candidates.numel(), x.device)
    if len(x) <= size:
        left = squared_distances(x, x[candidates], lengths).minimum(nearest[:, None])
        best = (left.sum(-1) if mass is None else left @ mass).argmin(1, keepdim=True)
        return candidates.gather(1, best), left.take_along_dim(best[..., None], 1)[:, 0]
    remaining = torch.zeros(candidates.shape, dtype=x.dtype, device=x.device)
    for part in slices(len(x), size):
        distances = squared_distances(x[part], x[candidates], lengths[part])
        left = distances.minimum(nearest[:, None, part])
        remaining = remaining + (left.sum(-1) if mass is None else left @ mass[part])
    best = candidates.gather(1, remaining.argmin(1, keepdim=True))
    return best, nearest.minimum(squared_distances(x, x[best], lengths)[:, 0])


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
    if n_clusters == 1:
        return torch.zeros(len(sources), len(x), dtype=torch.long, device=x.device)
    mass = None if weights is None else weights.to(x.dtype)
    still = RELATIVE_TOL * mean_variance(x, mass)
    labels = torch.empty(len(sources), len(x), dtype=torch.long, device=x.device)
    runs = list(range(len(sources)))
    centres = x[spread_samples(x, n_clusters, sources, weights)]
    for _ in range(MOST_ROUNDS):
        nearest = assign(x, centres)
        moved = means_of_clusters(x, nearest, centres, mass)
        shifts = (moved - centres).square().sum((1, 2)).tolist()
        centres = moved
        ended = [place for place, shift in enumerate(shifts) if shift <= still]
        if not ended:
            continue
        if any(shifts[place] > 0 for place in ended):
            nearest = assign(x, centres)
        if len(ended) == len(labels):
            return nearest
        labels[[runs[place] for place in ended]] = nearest[ended]
        going = [place for place in range(len(runs)) if place not in ended]
        runs = [runs[place] for place in going]
        if not runs:
            return labels
        centres = centres[going]
    labels[runs] = assign(x, centres)
    return labels


def mean_variance(x: Float[Tensor, "n d"], mass: Float[Tensor, " n"] | None) -> float:
    """The variance of a feature of centred samples, averaged over the features."""
    shares = torch.ones_like(x[:, 0]) if mass is None else mass
    total, lengths, mean = shares.sum(), squared_lengths(x), shares @ x
    return float((shares @ lengths - mean.square().sum() / total) / total) / x.shape[1]


def assign(x: Float[Tensor, "n d"], centres: Float[Tensor, "run k d"]) -> Int[Tensor, "run n"]:
    """The nearest centre of each sample."""
    size = chunk_size(centres.shape[0] * centres.shape[1], x.device)
    parts = slices(len(x), size)
    nearest = [relative_distances(x[part], centres).min(1).indices for part in parts]
    return nearest[0] if len(nearest) == 1 else torch.cat(nearest, -1)


def means_of_clusters(
    x: Float[Tensor, "n d"],
    labels: Int[Tensor, "run n"],
    centres: Float[Tensor, "run k d"],
    mass: Float[Tensor, " n"] | None,
) -> Float[Tensor, "run k d"]:
    """The mean of each cluster.

    A centre that has lost all its samples moves to the sample farthest from its own centre.
    """
    sums, counts = [], []
    for part in slices(len(x), chunk_size(centres.shape[0] * centres.shape[1], x.device)):
        members = membership(labels[:, part], centres, None if mass is None else mass[part])
        sums.append(members @ x[part])
        counts.append(members.sum(-1, keepdim=True))
    count = sum(counts[1:], counts[0])
    means = sum(sums[1:], sums[0]) / count
    # Almost never: what is empty shows as 0 / 0 and costs the usual round one comparison.
    if not math.isnan(means.sum().item()):
        return means
    for run in (count[..., 0] == 0).any(1).nonzero()[:, 0].tolist():
        empty = count[run, :, 0] == 0
        distances = squared_distances(x, centres[run, None])[0].amin(0)
        distances = distances if mass is None else distances.where(mass > 0, -1)
        means[run, empty] = x[distances.topk(int(empty.sum())).indices]
    return means


def membership(
    labels: Int[Tensor, "run n"],
    centres: Float[Tensor, "run k d"],
    mass: Float[Tensor, " n"] | None,
) -> Float[Tensor, "run k n"]:
    """How much each cluster has of each sample: all or nothing."""
    room = centres.new_zeros(*centres.shape[:2], labels.shape[1])
    if mass is None:
        return room.scatter_(1, labels[:, None], 1.0)
    return room.scatter_(1, labels[:, None], mass.expand(len(labels), 1, -1))


def squared_distances(
    x: Float[Tensor, "n d"],
    centres: Float[Tensor, "run k d"],
    lengths: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "run k n"]:
    """‖x - c‖²; ``lengths`` are ‖x‖², where they are known."""
    lengths = squared_lengths(x) if lengths is None else lengths
    return relative_distances(x, centres).add_(lengths).clamp_(min=0)


def squared_lengths(x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """‖x‖², in one pass and without a copy of the samples."""
    return torch.linalg.vector_norm(x, dim=-1).square()


def relative_distances(
    x: Float[Tensor, "n d"], centres: Float[Tensor, "run k d"]
) -> Float[Tensor, "run k n"]:
    """‖x - c‖² - ‖x‖², which is one matrix product for all runs."""
    lengths = centres.square().sum(-1).reshape(-1, 1)
    products = torch.addmm(lengths, centres.flatten(0, 1), x.T, alpha=-2)
    return products.unflatten(0, centres.shape[:2])


def chunk_size(n_rows: int, device: torch.device) -> int:
    """Samples whose distances to all centres of all runs are computed at a time."""
    return max(budget_of(device).distances // n_rows, 1024)


def slices(n_samples: int, size: int) -> list[slice]:
    """Parts of the samples, in their order."""
    return [slice(first, first + size) for first in range(0, n_samples, size)]
