"""Missing values under covariances that are variances: features are independent of each other."""

import math
from collections.abc import Callable
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from gmm.covariance.completion import Completion, Incomplete
from gmm.covariance.products import multiply


class VarianceCompletion(Completion):
    """Completion where a missing value has mean and variance of the component.

    Nothing depends on which values are missing together, so that all samples are one product.

    Args:
        scales: Reciprocals of the standard deviations.
        means: Component means about the reference.
        part: The samples.
        pool: Sums over the features that share a variance.
    """

    def __init__(
        self,
        scales: Float[Tensor, "run k d"],
        means: Float[Tensor, "run k d"],
        part: Incomplete,
        pool: Callable[[Float[Tensor, "run k d"]], Float[Tensor, "run k m"]],
    ) -> None:
        self.pool = pool
        self.scales = scales
        self.means = means
        self.part = part

    @cached_property
    def _terms(self) -> Float[Tensor, "terms n"]:
        """Squares and values where they are known, and where they are."""
        known = self.part.known.to(self.part.x.dtype)
        return torch.cat([self.part.x.square(), self.part.x, known])

    @property
    @override
    def log_density(self) -> Float[Tensor, "run k n"]:
        precisions = self.scales.square()
        level = self.scales.log() - math.log(2 * math.pi) / 2
        level = level - precisions * self.means.square() / 2
        coefficients = torch.cat([precisions / -2, precisions * self.means, level], -1)
        return multiply(coefficients, self._terms)

    @override
    def moments(
        self, resp: Float[Tensor, "run k n"]
    ) -> tuple[Float[Tensor, "run k d"], Float[Tensor, "run k m"]]:
        second, first, known = multiply(resp, self._terms.T).chunk(3, -1)
        missing = resp.sum(-1, keepdim=True) - known
        expected = self.means.square() + self.scales.square().reciprocal()
        return first + missing * self.means, self.pool(second + missing * expected)
