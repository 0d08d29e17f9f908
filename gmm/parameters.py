"""What EM learns: the parameters of a batch of mixtures, as one immutable value."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Parameters:
    """Weights, means and precision factors of a batch of runs of equal shape.

    Covariances are not kept: they follow from the factors, and two copies could disagree.

    Args:
        weights: Mixing proportions, summing to 1 over k.
        means: Component means, in the units of the samples.
        precisions_cholesky: Factors U of the precisions U Uᵀ, in the inner shape of their
            :class:`~gmm.covariance.Covariance`: ``run k d d``, ``run 1 d d``, ``run k d`` or
            ``run k 1``.
    """

    weights: Float[Tensor, "run k"]
    means: Float[Tensor, "run k d"]
    precisions_cholesky: Float[Tensor, "run ..."]

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

    def translated(self, offset: Float[Tensor, " d"]) -> "Parameters":
        """The mixtures of the samples moved by ``offset``."""
        return type(self)(self.weights, self.means + offset, self.precisions_cholesky)

    def selected(self, runs: Int[Tensor, " some"] | Bool[Tensor, " run"]) -> "Parameters":
        """Some runs of the batch, by index or mask."""
        return type(self)(self.weights[runs], self.means[runs], self.precisions_cholesky[runs])

    def replaced(self, runs: Int[Tensor, " some"], values: "Parameters") -> "Parameters":
        """The batch with the given runs taken from ``values``."""
        return type(self)(
            self.weights.index_copy(0, runs, values.weights),
            self.means.index_copy(0, runs, values.means),
            self.precisions_cholesky.index_copy(0, runs, values.precisions_cholesky),
        )

    def overridden(
        self,
        weights: Float[Tensor, " k"] | None,
        means: Float[Tensor, "k d"] | None,
        chol: Float[Tensor, "1 ..."] | None,
    ) -> "Parameters":
        """The batch with some values the same in every run; None leaves what there is."""
        mine = self.precisions_cholesky
        return type(self)(
            self.weights if weights is None else weights.expand_as(self.weights),
            self.means if means is None else means.expand_as(self.means),
            mine if chol is None else chol.expand_as(mine),
        )

    def to(self, *, dtype: torch.dtype, device: torch.device) -> "Parameters":
        """The same mixtures in another precision or on another device."""
        return type(self)(
            self.weights.to(device, dtype),
            self.means.to(device, dtype),
            self.precisions_cholesky.to(device, dtype),
        )
