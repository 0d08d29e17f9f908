"""Priors of the weights, as a stick of length 1 that the components break one after the other.

Component k takes a share of what its predecessors have left, and that share is Beta distributed.
With a piece of the stick left for ever more components this is the Dirichlet process, Blei and
Jordan (2006) section 3. Where the last component takes all that is left, and the shares agree with
it, it is the Dirichlet distribution, Connor and Mosimann (1969). One set of formulas serves both.

``sticks`` holds the two parameters of each Beta distribution: taken, left.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad
from typing_extensions import override

from gmm.options import WeightPriorType


class WeightPrior(ABC):
    """How a count of samples per component becomes a posterior of the weights."""

    @abstractmethod
    def posterior(
        self, counts: Float[Tensor, "run k"], concentration: float
    ) -> Float[Tensor, "run k 2"]:
        """The sticks after counts of samples, from the concentration of the prior."""

    @abstractmethod
    def publish(self, sticks: Any) -> Any:
        """scikit-learn's form of the sticks, k × 2, of one run."""

    @abstractmethod
    def restore(self, published: Any) -> Float[Tensor, "k 2"]:
        """The sticks that were :meth:`publish`."""


class DirichletProcess(WeightPrior):
    """Any number of components, cut off after k; its form is a pair of both parameters."""

    @override
    def posterior(
        self, counts: Float[Tensor, "run k"], concentration: float
    ) -> Float[Tensor, "run k 2"]:
        # Blei & Jordan (2006) eqs. 18 and 19.
        return torch.stack([1 + counts, concentration + sums_after(counts)], -1)

    @override
    def publish(self, sticks: Any) -> Any:
        return sticks[..., 0], sticks[..., 1]

    @override
    def restore(self, published: Any) -> Float[Tensor, "k 2"]:
        return torch.stack([torch.as_tensor(part) for part in published], -1)


class DirichletDistribution(WeightPrior):
    """Exactly k components; its form is one concentration each."""

    @override
    def posterior(
        self, counts: Float[Tensor, "run k"], concentration: float
    ) -> Float[Tensor, "run k 2"]:
        return self.restore(counts + concentration)  # Bishop (2006) eq. 10.58

    @override
    def publish(self, sticks: Any) -> Any:
        return sticks[..., 0]

    @override
    def restore(self, published: Any) -> Float[Tensor, "*run k 2"]:
        shares = torch.as_tensor(published)
        return torch.stack([shares, sums_after(shares)], -1)


WEIGHT_PRIORS: dict[WeightPriorType, WeightPrior] = {
    "dirichlet_process": DirichletProcess(),
    "dirichlet_distribution": DirichletDistribution(),
}


def sums_after(values: Float[Tensor, "*run k"]) -> Float[Tensor, "*run k"]:
    """For each component, the sum over those that come after it."""
    # Not the sum from it on minus itself: a small rest would drown beside a large component.
    return pad(cumulate(values[..., 1:].flip(-1)).flip(-1), (0, 1))


def expected_log_weights(sticks: Float[Tensor, "run k 2"]) -> Float[Tensor, "run k"]:
    """E[log π_k] in nats, Blei & Jordan (2006) eq. 21; Bishop (2006) eq. 10.66."""
    taken, left = sticks.digamma().unbind(-1)
    whole = sticks.sum(-1).digamma()
    return taken - whole + pad(cumulate((left - whole)[..., :-1]), (1, 0))


def expected_weights(sticks: Float[Tensor, "run k 2"]) -> Float[Tensor, "run k"]:
    """E[π_k], divided by their sum, since a process leaves something to components beyond k."""
    taken, left = (sticks / sticks.sum(-1, keepdim=True)).unbind(-1)
    weights = taken * pad(left[..., :-1].cumprod(-1), (1, 0), value=1.0)
    return weights / weights.sum(-1, keepdim=True)


def log_normaliser(sticks: Float[Tensor, "run k 2"]) -> Float[Tensor, " run"]:
    """Log of the product of the Beta functions of all sticks, in nats."""
    log_beta = sticks.lgamma().sum(-1) - sticks.sum(-1).lgamma()
    # A stick of which nothing is left has nothing random.
    return log_beta.where(sticks[..., 1] > 0, 0.0).sum(-1)


def cumulate(values: Float[Tensor, "*run k"]) -> Float[Tensor, "*run k"]:
    """The cumulative sum over the components, the same in every call on every device."""
    if values.device.type == "cpu":
        return values.cumsum(-1)
    # Of floating point, a GPU has no cumulative sum that is repeatable; components are few.
    k = values.shape[-1]
    return values @ values.new_ones(k, k).triu()
