"""Sufficient statistics: all that EM keeps of the samples.

They are taken about a fixed reference and in float64, whatever the samples are in: raw second
moments in float32 get a unit variance at mean 1000 wrong by 3. They add, so that chunks of one
array, of a file or of several processes are one computation.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from gmm.covariance import Covariance

CHUNK_ELEMENTS = 2**19  # 4 MiB of float64, whatever the number of samples
SMALLEST_CHUNK = 256  # below, the matrix products are too narrow to be fast
LARGEST_CHUNK = 4096


@dataclass(frozen=True)
class Chunk:
    """Some samples, and the products of their features that E- and M-step share.

    Args:
        x: Samples as columns, centred on the reference.
        quadratics: See :meth:`gmm.covariance.Covariance.quadratics`.
        weights: How often each sample counts; None for once.
    """

    x: Float[Tensor, "d n"]
    quadratics: Float[Tensor, "m n"] | None
    weights: Float[Tensor, " n"] | None = None


@dataclass(frozen=True)
class Statistics:
    """Sums over samples, for each run of a batch.

    Args:
        weight: Samples that are summed, each as often as it counts.
        log_density: Sum of their log densities in nats.
        counts: Sums of responsibilities.
        first: Sums of samples about the reference, weighted by responsibilities.
        second: Likewise their quadratics.
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

    @property
    def lower_bound(self) -> Float[Tensor, " run"]:
        """Mean log density of a sample in nats."""
        return self.log_density / self.weight


def chunk_size(covariance: Covariance, n_components: int, n_features: int) -> int:
    """Samples per chunk: the same for any number of runs, so that a run's sums are too."""
    samples = CHUNK_ELEMENTS // covariance.scratch(n_components, n_features)
    return min(max(samples, SMALLEST_CHUNK), LARGEST_CHUNK)


def summarise(
    chunk: Chunk,
    resp: Float[Tensor, "run k n"],
    log_density: Float[Tensor, "run n"],
    covariance: Covariance,
    chol: Float[Tensor, "run ..."] | None = None,
) -> Statistics:
    """The statistics of one chunk.

    Args:
        chunk: The samples.
        resp: Their responsibilities.
        log_density: Their log densities in nats.
        covariance: The type to estimate.
        chol: The precision factors that gave the responsibilities; None where EM starts.
    """
    weight = log_density.new_tensor(float(chunk.x.shape[1]))
    if chunk.weights is not None:
        weight, resp, log_density = (
            chunk.weights.sum(), resp * chunk.weights, log_density * chunk.weights
        )  # fmt: skip
    return Statistics(
        weight=weight,
        log_density=log_density.sum(-1),
        counts=resp.sum(-1),
        first=resp @ chunk.x.T,
        second=covariance.second_moments(chunk.x, chunk.quadratics, resp, chol),
    )


def total(parts: Iterable[Statistics]) -> Statistics:
    """The sum of the statistics of parts of the samples."""
    remaining = iter(parts)
    result = next(remaining)
    for part in remaining:
        result = result + part
    return result
