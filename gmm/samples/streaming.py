"""Samples that need not fit into memory: read anew at every iteration, part by part."""

import random
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from typing_extensions import override

from gmm.covariance import Covariance
from gmm.samples.in_memory import InMemory, Samples, centre_chunk
from gmm.samples.statistics import Chunk, Statistics
from gmm.samples.survey import Survey, as_tensor, weights_of

MOST_DRAWN = 2**16  # samples of a stream to look for a start in
MOST_DRAWN_NUMBERS = 2**24  # 128 MiB of float64, however wide the samples are
LEAST_PER_COMPONENT = 32


@dataclass(frozen=True)
class Surveyed(Samples):
    """Samples whose number, mean, variance and form are known from a first pass.

    Args:
        survey: Outcome of the first pass.
    """

    survey: Survey

    @property
    @override
    def n_samples(self) -> int:
        return self.survey.moments.n_samples

    @property
    @override
    def weight(self) -> float:
        return float(self.survey.moments.weight)

    @property
    @override
    def dtype(self) -> torch.dtype:
        return self.survey.dtype

    @property
    @override
    def reference(self) -> Float[Tensor, " d"]:
        return self.survey.moments.mean

    @property
    @override
    def variance(self) -> float:
        return self.survey.moments.variance

    @abstractmethod
    def rows_at(self, indices: Int[Tensor, " some"]) -> InMemory:
        """Some samples, with their weights.

        Args:
            indices: Positions in the order of the samples, ascending.
        """

    @override
    def draw(self, n_samples: int, seed: int) -> InMemory:
        return fill_in(self.rows_at(drawn_positions(self.n_samples, n_samples, seed)))


@dataclass(frozen=True)
class Streamed(Surveyed):
    """The rows of chunks.

    Args:
        matrices: Reads their chunks from the first to the last, in every pass anew.
    """

    matrices: Callable[[], Iterator[np.ndarray | Tensor]]

    @override
    def chunks(
        self, covariance: Covariance, size: int, dtype: torch.dtype = torch.float64
    ) -> Iterator[Chunk]:
        return self.chunks_about(self.reference, covariance, size, dtype)

    def chunks_about(
        self,
        reference: Float[Tensor, " d"],
        covariance: Covariance,
        size: int,
        dtype: torch.dtype = torch.float64,
    ) -> Iterator[Chunk]:
        """All samples, centred on any point; one chunk without rows if there are none.

        Raises:
            ValueError: If the source has other samples than in the first pass.
        """
        first = 0
        buffer = torch.empty(size, len(reference), dtype=self.dtype, device=reference.device)
        for rows in regroup(self.matrices(), buffer):
            weights = weights_of(self.survey.weights, first, first + len(rows), reference.device)
            if not first and weights is not None and self.survey.first is not None and len(rows):
                check_same(rows[0], self.survey.first)
            first += len(rows)
            yield centre_chunk(rows, weights, reference, covariance, dtype)
        if first != self.n_samples:
            raise ValueError(
                f"the stream had {self.n_samples} samples in the first pass and {first} in a later "
                f"one, expected the same in every pass; pass a source that begins anew"
            )

    @override
    def pool(self, statistics: Statistics) -> Statistics:
        return statistics

    @override
    def agree(self, values: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        return values

    @override
    def rows_at(self, indices: Int[Tensor, " some"]) -> InMemory:
        x = torch.empty(len(indices), len(self.reference), dtype=self.dtype)
        first = 0
        for matrix in self.matrices():
            ends = torch.tensor([first, first + len(matrix)])
            low, high = torch.searchsorted(indices, ends).tolist()
            x[low:high] = as_tensor(matrix).detach()[indices[low:high] - first].to(x)
            first += len(matrix)
        device = self.survey.device
        weights = self.survey.weights
        weights = None if weights is None else weights.cpu()[indices].to(device)
        return InMemory(x.to(device), weights, self.reference)


def fill_in(samples: InMemory) -> InMemory:
    """The samples with their reference in the place of missing values, to look for a start in."""
    x = samples.x
    return replace(samples, x=x.where(~x.isnan(), samples.reference.to(x.dtype)))


def check_same(row: Float[Tensor, " d"], expected: Float[Tensor, " d"]) -> None:
    """Refuses another first sample than that of the first pass, where weights count samples.

    Raises:
        ValueError: If it is another.
    """
    if not torch.equal(row.nan_to_num(), expected.to(row).nan_to_num()):
        raise ValueError(
            "the stream has another order in a later pass, expected the same in every pass for "
            "sample_weight; pass a source that is not shuffled"
        )


def start_size(n_components: int, n_features: int) -> int:
    """Number of samples to look for a start in, where more would not fit into memory."""
    affordable = min(MOST_DRAWN, MOST_DRAWN_NUMBERS // n_features)
    return max(affordable, LEAST_PER_COMPONENT * n_components)


def drawn_positions(n_samples: int, n_drawn: int, seed: int) -> Int[Tensor, " some"]:
    """Positions of ``n_drawn`` of the samples, or of all, uniformly at random and ascending.

    They depend on the number of samples alone, not on how chunks or processes cut them.
    """
    if n_samples <= n_drawn:
        return torch.arange(n_samples)
    # Not torch.randperm, which writes down all samples to draw a few.
    return torch.tensor(sorted(random.Random(seed).sample(range(n_samples), n_drawn)))


def regroup(
    matrices: Iterable[np.ndarray | Tensor], buffer: Float[Tensor, "size d"]
) -> Iterator[Float[Tensor, "part d"]]:
    """The same rows in parts of one size, the last of which is shorter; at least one part.

    However the chunks are cut, the parts are those of one matrix, and so are the sums over them.

    Args:
        matrices: Chunks of any length.
        buffer: Where every part is written: it is read before the next one is asked for.
    """
    filled, n_parts = 0, 0
    for matrix in matrices:
        rows = as_tensor(matrix).detach()
        while len(rows):
            end = min(len(buffer), filled + len(rows))
            taken, rows = rows.split([end - filled, len(rows) - end + filled])
            buffer[filled:end] = taken
            filled = end
            if filled == len(buffer):
                yield buffer
                filled, n_parts = 0, n_parts + 1
    if filled or not n_parts:
        yield buffer[:filled]
