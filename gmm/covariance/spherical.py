"""``spherical``: one variance per component."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import override

from gmm.covariance.variances import Variances


class Spherical(Variances):
    """One variance per component."""

    @override
    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components,)

    @override
    def inner_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, 1)

    @override
    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components

    @override
    def squares(self, x: Float[Tensor, "d n"]) -> Float[Tensor, "1 n"]:
        if x.requires_grad or not x.mT.is_contiguous():
            return x.square().sum(0, keepdim=True)
        # One pass over samples in rows, without a copy of them; for columns it takes far longer.
        return torch.linalg.vector_norm(x, dim=0, keepdim=True).square()

    @override
    def pool(self, squares: Float[Tensor, "*lead d"]) -> Float[Tensor, "*lead 1"]:
        return squares.sum(-1, keepdim=True)

    @override
    def marginal(
        self, chol: Float[Tensor, "run k 1"], features: Int[Tensor, " kept"]
    ) -> Float[Tensor, "run k 1"]:
        return chol
