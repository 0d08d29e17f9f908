"""Sufficient statistics: all that EM keeps of the samples.

They are taken about a fixed reference: raw second moments in float32 get a unit variance at mean
1000 wrong by 3. Over chunks they add up in float64, whatever the samples are in; so chunks of one
array, of a file or of several processes are one computation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gmm.covariance import Covariance
from gmm.covariance.cost import Task
from gmm.covariance.products import multiply

CHUNK_BYTES = {"cpu": 2**23, "cuda": 2**28}
# Memory that one run writes per chunk, whatever the number of samples: a share of the last-level
# cache of a CPU, and enough for each kernel to fill a GPU.
SMALLEST_CHUNK = 256  # below, the matrix products are too narrow to be fast
LARGEST_CHUNK = {"cpu": 2**15, "cuda": 2**20}


@dataclass(frozen=True)
class Chunk:
    """Some samples, as E- and M-step read them.

    Args:
        x: Samples as columns, centred on the reference.
        covariance: The covariance type whose sums are taken.
        weights: How often each sample counts; None for once.
    """

    x: Float[Tensor, "d n"]
    covariance: Covariance
    weights: Float[Tensor, " n"] | None = None

    @cached_property
    def quadratics(self) -> Float[Tensor, "m n"] | None:
        """Products of features, see :meth:`gmm.covariance.Covariance.quadratics`.

        Computed where they are first read.
        """
        return self.covariance.quadratics(self.x)


@dataclass(frozen=True)
class Statistics:
    """Sums over samples, for each run of a batch.

    Args:
        weight: Number of samples in the sums, each as often as it counts.
        log_density: Sum of their log densities in nats.
        counts: Sums of responsibilities.
        first: Sums of samples about the reference, weighted by responsibilities.
        second: Sums of their quadratics, weighted by responsibilities.
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
    kind = "cpu" if device.type == "cpu" else "cuda"
    per_sample = covariance.scratch(n_components, n_features, packs=packs) * dtype.itemsize
    return min(max(CHUNK_BYTES[kind] // per_sample, SMALLEST_CHUNK), LARGEST_CHUNK[kind])


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
    weight, resp, log_density = weigh(chunk, resp, log_density)
    quadratics = chunk.quadratics if packs else None
    return Statistics(
        weight=weight,
        log_density=log_density.sum(-1, dtype=torch.float64),
        counts=resp.sum(-1, dtype=torch.float64),
        first=multiply(resp, chunk.x.T).double(),
        second=chunk.covariance.second_moments(chunk.x, quadratics, resp, chol).double(),
    )


def weigh(
    chunk: Chunk, resp: Float[Tensor, "run k n"], log_density: Float[Tensor, "run n"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "run k n"], Float[Tensor, "run n"]]:
    """The weight of a chunk, and the values of its samples as often as each counts."""
    if chunk.weights is None:
        n_samples = chunk.x.shape[1]
        weight = torch.full((), n_samples, dtype=torch.float64, device=chunk.x.device)
        return weight, resp, log_density
    weight = chunk.weights.sum(dtype=torch.float64)
    return weight, resp * chunk.weights, log_density * chunk.weights


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
