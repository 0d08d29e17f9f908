"""What EM reads at every iteration: weighted samples, in chunks, about a fixed reference."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from gmm.covariance import Covariance
from gmm.statistics import Chunk, Statistics


class Samples(ABC):
    """Samples that can be read again and again: an array, a file, one shard of several."""

    @property
    @abstractmethod
    def reference(self) -> Float[Tensor, " d"]:
        """The point that chunks are centred on: near the mean, in float64."""

    @property
    @abstractmethod
    def variance(self) -> float:
        """Mean variance of a feature, in squared units of the samples: their scale."""

    @abstractmethod
    def chunks(self, covariance: Covariance, size: int) -> Iterator[Chunk]:
        """All samples in an order that never changes, at most ``size`` at a time."""

    def pooled(self, statistics: Statistics) -> Statistics:
        """The statistics of the samples of all processes: here, there is one."""
        return statistics


@dataclass(frozen=True)
class InMemory(Samples):
    """The rows of one tensor.

    Args:
        x: Samples.
        weights: How often each counts; None for once.
    """

    x: Float[Tensor, "n d"]
    weights: Float[Tensor, " n"] | None = None

    @cached_property
    @override
    def reference(self) -> Float[Tensor, " d"]:
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
    def chunks(self, covariance: Covariance, size: int) -> Iterator[Chunk]:
        for first in range(0, len(self.x), size):
            centred = (self.x[first : first + size].double() - self.reference).T.contiguous()
            weights = None if self.weights is None else self.weights[first : first + size]
            yield Chunk(centred, covariance.quadratics(centred), weights)
