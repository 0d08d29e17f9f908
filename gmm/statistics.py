"""Sufficient statistics: all that EM keeps of the samples.

They are taken about a fixed reference and in float64, whatever the samples are in: raw second
moments in float32 get a unit variance at mean 1000 wrong by 3. They add, so that chunks of one
array, of a file or of several processes are one computation.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gmm.covariance import Covariance
from gmm.parameters import Parameters

CHUNK_ELEMENTS = 2**19  # 4 MiB of float64, whatever the number of samples
SMALLEST_CHUNK = 256  # below, the matrix products are too narrow to be fast
LARGEST_CHUNK = 4096


@dataclass(frozen=True)
class Chunk:
    """Some samples, and the products of their features that E- and M-step share.

    Args:
        x: Samples as columns, centred on the reference.
        quadratics: See :meth:`gmm.covariance.Covariance.quadratics`.
    """

    x: Float[Tensor, "d n"]
    quadratics: Float[Tensor, "m n"] | None


@dataclass(frozen=True)
class Statistics:
    """Sums over samples, for each run of a batch.

    Args:
        n_samples: How many samples are summed.
        log_density: Sum of their log densities in nats.
        counts: Sums of responsibilities.
        first: Sums of samples about the reference, weighted by responsibilities.
        second: Likewise their quadratics.
    """

    n_samples: int
    log_density: Float[Tensor, " run"]
    counts: Float[Tensor, "run k"]
    first: Float[Tensor, "run k d"]
    second: Float[Tensor, "run kq m"]

    def __add__(self, other: "Statistics") -> "Statistics":
        """The statistics of both sets of samples."""
        return type(self)(
            self.n_samples + other.n_samples,
            self.log_density + other.log_density,
            self.counts + other.counts,
            self.first + other.first,
            self.second + other.second,
        )

    @property
    def lower_bound(self) -> Float[Tensor, " run"]:
        """Mean log density of a sample in nats."""
        return self.log_density / self.n_samples


def chunk_size(covariance: Covariance, n_components: int, n_features: int) -> int:
    """Samples per chunk: the same for any number of runs, so that a run's sums are too."""
    samples = CHUNK_ELEMENTS // covariance.scratch(n_components, n_features)
    return min(max(samples, SMALLEST_CHUNK), LARGEST_CHUNK)


def chunks(
    x: Float[Tensor, "n d"], reference: Float[Tensor, " d"], size: int, covariance: Covariance
) -> Iterator[Chunk]:
    """The samples in order, ``size`` at a time, about the reference, in float64."""
    for rows in x.split(size):
        centred = (rows.double() - reference).T.contiguous()
        yield Chunk(centred, covariance.quadratics(centred))


def summarise(
    chunk: Chunk,
    resp: Float[Tensor, "run k n"],
    log_density: Float[Tensor, "run n"],
    covariance: Covariance,
) -> Statistics:
    """The statistics of one chunk."""
    return Statistics(
        n_samples=chunk.x.shape[1],
        log_density=log_density.sum(-1),
        counts=resp.sum(-1),
        first=resp @ chunk.x.T,
        second=covariance.second_moments(chunk.x, chunk.quadratics, resp),
    )


def maximise(
    statistics: Statistics, covariance: Covariance, reg_covar: float
) -> tuple[Parameters, Bool[Tensor, " run"]]:
    """M-step: the parameters of greatest likelihood, Bishop (2006) eqs. 9.24-9.26.

    Returns:
        Parameters about the reference of the statistics, and which runs have positive definite
        covariances; the parameters of the others have no meaning.
    """
    # As scikit-learn does, so that a component without samples divides by no zero.
    counts = statistics.counts + 10 * torch.finfo(statistics.counts.dtype).eps
    means = statistics.first / counts[..., None]
    covariances = covariance.estimate(counts, means, statistics.second, reg_covar)
    chol, valid = covariance.factorise(covariances)
    return Parameters(counts / counts.sum(-1, keepdim=True), means, chol), valid
