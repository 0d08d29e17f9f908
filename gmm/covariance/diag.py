"""``diag``: one variance per component and feature."""

from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import override

from gmm.covariance.variances import Variances


class Diag(Variances):
    """One variance per component and feature."""

    @override
    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features)

    @override
    def inner_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features)

    @override
    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features

    @override
    def squares(self, x: Float[Tensor, "d n"]) -> Float[Tensor, "d n"]:
        return x.square()

    @override
    def pool(self, squares: Float[Tensor, "*lead d"]) -> Float[Tensor, "*lead d"]:
        return squares

    @override
    def marginal(
        self, chol: Float[Tensor, "run k m"], features: Int[Tensor, " kept"]
    ) -> Float[Tensor, "run k mkept"]:
        return chol[..., features]
