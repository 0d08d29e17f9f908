"""``spherical``: one variance per component."""

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
    def pool(self, squares: Float[Tensor, "*lead d"]) -> Float[Tensor, "*lead 1"]:
        return squares.sum(-1, keepdim=True)

    @override
    def marginal(
        self, chol: Float[Tensor, "run k 1"], features: Int[Tensor, " kept"]
    ) -> Float[Tensor, "run k 1"]:
        return chol
