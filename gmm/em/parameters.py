"""What EM learns: an estimate of a batch of mixtures, as one immutable value."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from typing_extensions import override


@dataclass(frozen=True)
class Estimate(ABC):
    """Weights, means and precision factors of a batch of runs of equal shape; what EM learns.

    Covariances are not kept: they follow from the factors, and two copies could disagree.

    Args:
        weights: Mixing proportions, summing to 1 over k.
        means: Component means, in the units of the samples.
        precisions_cholesky: Factors U of the precisions U Uᵀ, in the inner shape of their
            :class:`~gmm.covariance.Covariance`: ``run k d d``, ``run 1 d d``, ``run k d`` or
            ``run k 1``; ``run k d q+1`` are loadings and noise variances, of which U follows.
    """

    weights: Float[Tensor, "run k"]
    means: Float[Tensor, "run k d"]
    precisions_cholesky: Float[Tensor, "run ..."]

    @property
    @abstractmethod
    def log_weights(self) -> Float[Tensor, "run k"]:
        """What the log joint density adds to that of each component, in nats."""

    @property
    def n_runs(self) -> int:
        """Mixtures in the batch."""
        return self.means.shape[0]

    @property
    def n_components(self) -> int:
        """Components of every mixture."""
        return self.means.shape[1]

    @property
    def n_features(self) -> int:
        """Dimension of the space."""
        return self.means.shape[2]

    @property
    def centre(self) -> Float[Tensor, " d"]:
        """The mean of the mixture, averaged over the runs."""
        return torch.einsum("rk,rkd->rd", self.weights, self.means).mean(0)

    def translate(self, offset: Float[Tensor, " d"]) -> Self:
        """The mixtures of the samples moved by ``offset``."""
        return replace(self, means=self.means + offset)

    def select(self, runs: Int[Tensor, " some"] | Bool[Tensor, " run"]) -> Self:
        """Some runs of the batch, by index or mask."""
        return replace(self, **{name: values[runs] for name, values in self._tensors()})

    def replace_runs(self, runs: Int[Tensor, " some"], values: Self) -> Self:
        """The batch with the given runs taken from ``values``."""
        new = dict(values._tensors())
        merged = {name: old.index_copy(0, runs, new[name]) for name, old in self._tensors()}
        return replace(self, **merged)

    def replace_values(
        self,
        weights: Float[Tensor, " k"] | None,
        means: Float[Tensor, "k d"] | None,
        chol: Float[Tensor, "1 ..."] | None,
    ) -> Self:
        """The batch with some values replaced by the same in every run; None keeps the old ones."""
        mine = self.precisions_cholesky
        return replace(
            self,
            weights=self.weights if weights is None else weights.expand_as(self.weights),
            means=self.means if means is None else means.expand_as(self.means),
            precisions_cholesky=mine if chol is None else chol.expand_as(mine),
        )

    def to(self, *, dtype: torch.dtype, device: torch.device) -> Self:
        """The same mixtures in another precision or on another device."""
        if self.means.dtype == dtype and self.means.device == device:
            return self
        return self.apply(lambda old: old.to(device, dtype))

    def widen(self, device: torch.device) -> Self:
        """The same mixtures in float64, but for the factors, which may be large and read once."""
        values = {
            name: old.to(device, old.dtype if name == "precisions_cholesky" else torch.float64)
            for name, old in self._tensors()
        }
        return replace(self, **values)

    def apply(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The batch with a function applied to each of its values."""
        return replace(self, **{name: function(old) for name, old in self._tensors()})

    def _tensors(self) -> list[tuple[str, Tensor]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


@dataclass(frozen=True)
class Parameters(Estimate):
    """The point estimate of maximum likelihood."""

    @property
    @override
    def log_weights(self) -> Float[Tensor, "run k"]:
        return self.weights.log()
