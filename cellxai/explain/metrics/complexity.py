"""Complexity: is the map short enough to be read? Sparse is not right: read it beside faithfulness.

All take the absolute attribution; sign and scale of a map do not matter.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.base import Attribution, Case
from cellxai.explain.metrics.base import Metric


class Gini(Metric):
    """Gini index: 0 when spread evenly, near 1 when on few pixels."""

    name = "gini"
    family = "complexity"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "Chalasani et al. 2020, arXiv:1810.06583"

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :func:`gini`."""
        return gini(sizes_of(attribution)).to(attribution.values)


class Entropy(Metric):
    """Entropy in nats of the attribution as a distribution over pixels, at most log(h w)."""

    name = "entropy"
    family = "complexity"
    direction = "lower"
    range = (0.0, torch.inf)
    paper = "Bhatt et al. 2020, arXiv:2005.00631, definition 3 (complexity)"

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :func:`entropy`."""
        return entropy(sizes_of(attribution)).to(attribution.values)


class EffectiveArea(Metric):
    """Smallest share of the pixels that bears most of the attribution.

    Args:
        mass: Share of the attribution that they bear together.
    """

    name = "effective area"
    family = "complexity"
    direction = "lower"
    range = (0.0, 1.0)
    paper = "after Nguyen and Martínez 2020, arXiv:2007.07584 (effective complexity)"

    def __init__(self, mass: float = 0.9) -> None:
        if not 0 < mass <= 1:
            raise ValueError(f"mass={mass}: expected a share of the attribution above 0, at most 1")
        self.mass = mass

    def measure(self, case: Case, attribution: Attribution) -> Float[Tensor, " b"]:
        """See :func:`effective_area`."""
        return effective_area(sizes_of(attribution), self.mass).to(attribution.values)


def sizes_of(attribution: Attribution) -> Float[Tensor, "b n"]:
    """Absolute values of all pixels, in float64: float32 would lose small terms among many."""
    return attribution.values.double().abs().flatten(1)


def gini(sizes: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """Gini index of non-negative numbers, 1 − 2 ∫ Lorenz curve (Hurley and Rickard 2009, eq. 4)."""
    n = sizes.shape[1]
    ascending = sizes.sort(dim=1).values
    rank = torch.arange(1, n + 1, device=sizes.device)
    weighted = (ascending * (2 * rank - n - 1)).sum(1)
    return weighted / (n * ascending.sum(1))


def entropy(sizes: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """Shannon entropy in nats of non-negative numbers over their sum; 0 log 0 is 0."""
    shares = sizes / sizes.sum(1, keepdim=True)
    return torch.special.entr(shares).sum(1)


def effective_area(sizes: Float[Tensor, "b n"], mass: float) -> Float[Tensor, " b"]:
    """Smallest share of the numbers whose sum is at least ``mass`` of the whole."""
    largest_first = sizes.sort(dim=1, descending=True).values.cumsum(1)
    # A little less, or rounding would ask for one more where the sum is reached exactly.
    needed = mass * largest_first[:, -1:] * (1 - 1e-12)
    return ((largest_first < needed).sum(1) + 1).to(sizes) / sizes.shape[1]
