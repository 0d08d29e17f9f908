"""Sufficient statistics: all that EM keeps of the samples.

They are taken about a fixed reference: raw second moments in float32 get a unit variance at mean
1000 wrong by 3. Over chunks they add up in float64, whatever the samples are in; so chunks of one
array, of a file or of several processes are one computation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gmm.covariance import Covariance
from gmm.covariance.cost import Task
from gmm.covariance.products import multiply
from gmm.memory import budget_of

SMALLEST_CHUNK = 256  # below, the matrix products are too narrow to be fast


@dataclass(frozen=True)
class Chunk:
    """Some samples, as E- and M-step read them.

    Args:
        x: Samples as columns, centred on the reference.
        covariance: The covariance type whose sums are taken.
        weights: How often each sample counts; None for once.
        written: Their monomials in one piece, where they have been written down before.
    """

    x: Float[Tensor, "d n"]
    covariance: Covariance
    weights: Float[Tensor, " n"] | None = None
    written: Float[Tensor, "p n"] | None = None

    @cached_property
    def monomials(self) -> tuple[Float[Tensor, "_ n"], ...]:
        """Features and their products, see :meth:`gmm.covariance.Covariance.monomials`.

        Computed where they are first read.
        """
        return self.covariance.monomials(self.x) if self.written is None else (self.written,)

    @cached_property
    def weight(self) -> Float[Tensor, ""]:
        """Number of samples, each as often as it counts."""
        if self.weights is not None:
            return self.weights.sum(dtype=torch.float64)
        return torch.full((), self.x.shape[1], dtype=torch.float64, device=self.x.device)


@dataclass(frozen=True)
class Statistics:
    """Sums over samples, for each run of a batch.

    Args:
        weight: Number of samples in the sums, each as often as it counts.
        log_density: Sum of their log densities in nats.
        counts: Sums of responsibilities.
        first: Sums of samples about the reference, weighted by responsibilities.
        second: Sums of products of their features, weighted by responsibilities.
    """

    weight: Float[Tensor, ""]
    log_density: Float[Tensor, " run"]
    counts: Float[Tensor, "run k"]
    first: Float[Tensor, "run k d"]
    second: Float[Tensor, "run kq m"]

    def __add__(self, other: "Statistics") -> "Statistics":
        """The statistics of both sets of samples."""
        return type(self)(
            self.weight + other.weight,
            self.log_density + other.log_density,
            self.counts + other.counts,
            self.first + other.first,
            self.second + other.second,
        )

    def select(self, runs: Int[Tensor, " some"] | Bool[Tensor, " run"]) -> "Statistics":
        """The statistics of some runs."""
        return Statistics(
            self.weight,
            self.log_density[runs],
            self.counts[runs],
            self.first[runs],
            self.second[runs],
        )

    def add_log_density(self, log_density: Float[Tensor, " run"]) -> "Statistics":
        """The statistics with more log density in the sum, in nats."""
        return replace(self, log_density=self.log_density + log_density)

    @property
    def lower_bound(self) -> Float[Tensor, " run"]:
        """Mean log density of a sample in nats."""
        return self.log_density / self.weight


def chunk_size(
    covariance: Covariance,
    n_components: int,
    n_features: int,
    dtype: torch.dtype = torch.float64,
    device: torch.device = torch.device("cpu"),  # noqa: B008 - immutable
    packs: bool = False,
) -> int:
    """Samples per chunk: the same for any number of runs, so that a run's sums are too."""
    budget = budget_of(device)
    most = budget.products_bytes if packs else budget.chunk_bytes
    per_sample = covariance.scratch(n_components, n_features, packs=packs) * dtype.itemsize
    return min(max(most // per_sample, SMALLEST_CHUNK), budget.largest_chunk)


def summarise(
    chunk: Chunk,
    resp: Float[Tensor, "run k n"],
    log_density: Float[Tensor, "run n"],
    chol: Float[Tensor, "run ..."] | None = None,
    *,
    packs: bool | None = None,
) -> Statistics:
    """The statistics of one chunk.

    Args:
        chunk: The samples.
        resp: Their responsibilities.
        log_density: Their log densities in nats.
        chol: The precision factors that gave the responsibilities; None where EM starts.
        packs: Whether products of features are written down for them; None for what is cheaper.
    """
    if packs is None:
        (n_features, n_samples), (n_runs, n_components, _) = chunk.x.shape, resp.shape
        task = Task(
            n_samples, n_runs, n_components, n_features, chunk.x.dtype, chunk.x.device, False
        )  # as if scoring: there is one product
        packs = chunk.covariance.packs(task)
    resp, log_density = weigh(chunk, resp, log_density)
    if packs:
        first, second = _sum_monomials(chunk, resp)
    else:
        first = multiply(resp, chunk.x.T)
        second = chunk.covariance.second_moments(chunk.x, resp, chol)
    return Statistics(
        weight=chunk.weight,
        log_density=log_density.sum(-1, dtype=torch.float64),
        counts=resp.sum(-1, dtype=torch.float64),
        first=first.double(),
        second=second.double(),
    )


def _sum_monomials(
    chunk: Chunk, resp: Float[Tensor, "run k n"]
) -> tuple[Float[Tensor, "run k d"], Float[Tensor, "run kq m"]]:
    """First and second moments, by one product with each piece of the monomials."""
    sums = [multiply(resp, piece.T) for piece in chunk.monomials]
    together = sums[0] if len(sums) == 1 else torch.cat(sums, -1)
    n_features = chunk.x.shape[0]
    products = together[..., n_features:]
    return together[..., :n_features], chunk.covariance.unpack(products, n_features)


def weigh(
    chunk: Chunk, resp: Float[Tensor, "run k n"], log_density: Float[Tensor, "run n"]
) -> tuple[Float[Tensor, "run k n"], Float[Tensor, "run n"]]:
    """The values of the samples of a chunk as often as each counts."""
    if chunk.weights is None:
        return resp, log_density
    return resp * chunk.weights, log_density * chunk.weights


def join_runs(parts: Sequence[Statistics]) -> Statistics:
    """The statistics of all runs of several batches, of the same samples."""
    names = ("log_density", "counts", "first", "second")
    joined = {name: torch.cat([getattr(part, name) for part in parts]) for name in names}
    return Statistics(parts[0].weight, **joined)


def total(parts: Iterable[Statistics]) -> Statistics:
    """The sum of the statistics of parts of the samples."""
    remaining = iter(parts)
    result = next(remaining)
    for part in remaining:
        result = result + part
    return result
