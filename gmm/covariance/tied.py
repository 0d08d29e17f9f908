"""``tied``: one matrix that all components share."""

from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from gmm.covariance.cost import Task
from gmm.covariance.matrices import Matrices


class Tied(Matrices):
    """One matrix that all components share."""

    shares_form = True
    far_in_float32 = False
    has_products = False

    @override
    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_features, n_features)

    @override
    def inner_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (1, n_features, n_features)

    @override
    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_features * (n_features + 1) // 2

    @override
    def pool(self, per_component: Float[Tensor, "run k *rest"]) -> Float[Tensor, "run 1 *rest"]:
        """Sums over all components.

        scikit-learn takes every sample once instead, which is the same where responsibilities sum
        to 1; where they do not (seeds alone), its covariance depends on the origin and this does
        not.
        """
        return per_component.sum(1, keepdim=True)

    @override
    def pool_products(
        self, left: Float[Tensor, "run k d"], right: Float[Tensor, "run k d"]
    ) -> Float[Tensor, "run 1 d d"]:
        return (left.mT @ right)[:, None]

    @override
    def packs(self, task: Task) -> bool:
        return False

    @override
    def scratch(self, n_components: int, n_features: int, *, packs: bool = True) -> int:
        return 2 * (n_features + n_components)

    @override
    def monomials(self, x: Float[Tensor, "d n"]) -> tuple[Float[Tensor, "_ n"], ...]:
        return (x,)
