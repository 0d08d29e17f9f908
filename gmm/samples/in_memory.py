"""What EM reads at every iteration: weighted samples, in chunks, about a fixed reference."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from typing_extensions import override

from gmm.covariance import Covariance
from gmm.samples.statistics import Chunk, Statistics

MOST_KEPT_BYTES = 2**28
# Size of centred samples that are kept between iterations: to centre them again costs diag and
# spherical a third of an iteration. A larger copy of the samples would no longer be small.

MOST_WHOLE_NUMBERS = 2**17
# Samples that are kept as one chunk if they fit into one, with the products of their features: at
# most some 30 MiB, for the 64 features that pay most.


class Samples(ABC):
    """Samples that can be read again and again: an array, a file, one shard of several."""

    @property
    @abstractmethod
    def n_samples(self) -> int:
        """Number of samples in all processes together."""

    @property
    @abstractmethod
    def weight(self) -> float:
        """Number of samples in all processes, each as often as it counts."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Their precision."""

    @property
    @abstractmethod
    def reference(self) -> Float[Tensor, " d"]:
        """The point that chunks are centred on: near the mean, in float64."""

    @property
    @abstractmethod
    def variance(self) -> float:
        """Mean variance of a feature, in squared units of the samples: their scale."""

    @abstractmethod
    def chunks(
        self, covariance: Covariance, size: int, dtype: torch.dtype = torch.float64
    ) -> Iterator[Chunk]:
        """All samples in an order that never changes, at most ``size`` at a time.

        Args:
            covariance: The covariance type whose sums are taken.
            size: Number of samples per chunk.
            dtype: Precision of the chunks.
        """

    @abstractmethod
    def draw(self, n_samples: int, seed: int) -> "InMemory":
        """Samples to look for a start in: some, uniformly at random, or all that are in memory."""

    @abstractmethod
    def pool(self, statistics: Statistics) -> Statistics:
        """The sum of the statistics of all processes, of which there may be one."""

    @abstractmethod
    def agree(self, values: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The values of the first process, on which all agree."""


@dataclass(frozen=True)
class InMemory(Samples):
    """The rows of one tensor.

    Args:
        x: Samples.
        weights: How often each counts; None for once.
        about: The reference, where it is not their mean.
        missing: Where ``x`` has a substitute for a value that is missing; None for nowhere.
    """

    x: Float[Tensor, "n d"]
    weights: Float[Tensor, " n"] | None = None
    about: Float[Tensor, " d"] | None = None
    missing: Bool[Tensor, "n d"] | None = None

    @property
    @override
    def n_samples(self) -> int:
        return len(self.x)

    @property
    @override
    def weight(self) -> float:
        return float(len(self.x) if self.weights is None else self.weights.sum())

    @property
    @override
    def dtype(self) -> torch.dtype:
        return self.x.dtype

    @cached_property
    @override
    def reference(self) -> Float[Tensor, " d"]:
        if self.about is not None:
            return self.about
        if self.weights is None:
            return self.x.mean(0, dtype=torch.float64)
        return (self.weights @ self.x.double()) / self.weights.sum()

    @cached_property
    @override
    def variance(self) -> float:
        deviations = (self.x - self.reference.to(self.x.dtype)).square().mean(1)
        if self.weights is None:
            return float(deviations.mean(dtype=torch.float64))
        return float(self.weights @ deviations.double() / self.weights.sum())

    @override
    def draw(self, n_samples: int, seed: int) -> "InMemory":
        return self

    @override
    def chunks(
        self, covariance: Covariance, size: int, dtype: torch.dtype = torch.float64
    ) -> Iterator[Chunk]:
        if len(self.x) <= size and self.x.numel() <= MOST_WHOLE_NUMBERS:
            yield self.whole(covariance, dtype)
        elif covariance.couples_features or not self._keeps(dtype, copies=2):
            for part, columns in zip(
                self._parts(size), self._columns(covariance, size, dtype), strict=True
            ):
                yield Chunk(columns, covariance, self._weights(part, dtype))
        else:
            monomials = self._monomials(covariance, dtype)
            for part in self._parts(size):
                written = monomials[part].T
                x = written[: self.x.shape[1]]
                yield Chunk(x, covariance, self._weights(part, dtype), written)

    def whole(self, covariance: Covariance, dtype: torch.dtype = torch.float64) -> Chunk:
        """All samples as one chunk, kept with the products of their features."""
        if (covariance, dtype) not in self._whole:
            self._whole.clear()  # only what is read now
            weights = self._weights(slice(None), dtype)
            if covariance.couples_features:
                (columns,) = self._columns(covariance, len(self.x), dtype)
                chunk = Chunk(columns, covariance, weights)
            else:
                written = self._monomials(covariance, dtype).T
                chunk = Chunk(written[: self.x.shape[1]], covariance, weights, written)
            self._whole[covariance, dtype] = chunk
        return self._whole[covariance, dtype]

    def _parts(self, size: int) -> list[slice]:
        return [slice(first, first + size) for first in range(0, len(self.x), size)]

    def _weights(self, part: slice, dtype: torch.dtype) -> Float[Tensor, " part"] | None:
        return None if self.weights is None else self.weights[part].to(dtype)

    def _monomials(self, covariance: Covariance, dtype: torch.dtype) -> Float[Tensor, "n p"]:
        """Features and their squares, a sample in each row: one product where there were two."""
        if (covariance, dtype) not in self._kept:
            pieces = covariance.monomials(self.rows(dtype).T)
            self._keep((covariance, dtype), [torch.cat([piece.T for piece in pieces], 1)])
        return self._kept[covariance, dtype][0]

    @override
    def pool(self, statistics: Statistics) -> Statistics:
        return statistics

    @override
    def agree(self, values: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        return values

    def rows(self, dtype: torch.dtype) -> Float[Tensor, "n d"]:
        """The samples about the reference, centred before they are rounded; kept if few."""
        if dtype not in self._kept:
            centred = (self.x - self.reference).to(dtype)
            if not self._keeps(dtype):
                return centred
            self._keep(dtype, [centred])
        return self._kept[dtype][0]

    def _columns(
        self, covariance: Covariance, size: int, dtype: torch.dtype
    ) -> Iterable[Float[Tensor, "d part"]]:
        """The samples about the reference as columns, ``size`` at a time, kept if they are few."""
        if not covariance.couples_features and self._keeps(dtype):
            return [rows.T for rows in self.rows(dtype).split(size)]
        parts = (centre(rows, self.reference, dtype) for rows in self.x.split(size))
        if not self._keeps(dtype):
            return parts
        if (size, dtype) not in self._kept:
            self._keep((size, dtype), list(parts))
        return self._kept[size, dtype]

    def _keeps(self, dtype: torch.dtype, copies: int = 1) -> bool:
        return copies * self.x.numel() * dtype.itemsize <= MOST_KEPT_BYTES

    def _keep(self, key: Hashable, parts: list[Tensor]) -> None:
        self._kept.clear()  # only what is read now
        self._kept[key] = parts

    @cached_property
    def _whole(self) -> dict[tuple[Covariance, torch.dtype], Chunk]:
        return {}

    @cached_property
    def _kept(self) -> dict[Hashable, list[Tensor]]:
        return {}


def centre(
    rows: Float[Tensor, "n d"], reference: Float[Tensor, " d"], dtype: torch.dtype = torch.float64
) -> Float[Tensor, "d n"]:
    """Samples as columns, centred before they are rounded to ``dtype``."""
    # Written into a buffer with features first, which saves a copy; autograd allows no buffer.
    differentiable = rows.requires_grad or reference.requires_grad
    room = None if differentiable else reference.new_empty(rows.T.shape)
    return torch.sub(rows.T, reference[:, None], out=room).contiguous().to(dtype)


def centre_chunk(
    rows: Float[Tensor, "n d"],
    weights: Float[Tensor, " n"] | None,
    reference: Float[Tensor, " d"],
    covariance: Covariance,
    dtype: torch.dtype = torch.float64,
) -> Chunk:
    """Samples as EM reads them."""
    columns = centre(rows, reference, dtype)
    weights = None if weights is None else weights.to(dtype)
    return Chunk(columns, covariance, weights)
