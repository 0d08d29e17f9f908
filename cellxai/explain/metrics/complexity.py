"""Complexity: is the map short enough to be read?"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.metrics.base import Metric, Truth


class Gini(Metric):
    """Gini index of the absolute attribution: 0 when spread evenly, near 1 when on few pixels.

    Sparse is not right: read it beside faithfulness.
    """

    name = "gini"
    direction = "higher"
    range = (0.0, 1.0)
    paper = "Chalasani et al. 2020, arXiv:1810.06583"

    def measure(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        attribution: Attribution,
        context: Context,
        truth: Truth,
    ) -> Float[Tensor, " b"]:
        """See :meth:`Metric.measure`."""
        return gini(attribution.values.abs().flatten(1))


def gini(sizes: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """Gini index of non-negative numbers, 1 − 2 ∫ Lorenz curve (Hurley and Rickard 2009, eq. 4)."""
    n = sizes.shape[1]
    ascending = sizes.double().sort(dim=1).values  # float32 would lose small terms among many
    place = torch.arange(1, n + 1, device=sizes.device)
    weighted = (ascending * (2 * place - n - 1)).sum(1)
    return (weighted / (n * ascending.sum(1))).to(sizes)
