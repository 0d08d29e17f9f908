"""``full``: one matrix per component."""

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from gmm.covariance.cost import Task, packs
from gmm.covariance.matrices import Matrices


class Full(Matrices):
    """One matrix per component."""

    shares_form = False
    far_in_float32 = True

    @override
    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features, n_features)

    @override
    def inner_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features, n_features)

    @override
    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2

    @override
    def pool(self, per_component: Float[Tensor, "run k *rest"]) -> Float[Tensor, "run k *rest"]:
        return per_component

    @override
    def pool_products(
        self, left: Float[Tensor, "run k d"], right: Float[Tensor, "run k d"]
    ) -> Float[Tensor, "run k d d"]:
        return left[..., :, None] * right[..., None, :]

    @override
    def packs(self, task: Task) -> bool:
        return packs(task)

    @override
    def scratch(self, n_components: int, n_features: int, *, packs: bool = True) -> int:
        if packs:
            return n_features * (n_features + 3) // 2 + n_components
        return (n_features + 1) * n_components  # at most: the triangles are computed in blocks

    @override
    def quadratics(self, x: Float[Tensor, "d n"]) -> Float[Tensor, "p n"]:
        # Every pair once, as x_i times its s-th cyclic successor: one product of two views.
        x = x.contiguous()
        successors = torch.cat([x, x]).unfold(0, len(x), 1)[: len(x) // 2 + 1].mT
        # Where it is written is named, since torch would order the pairs otherwise, and copy them.
        room = None if x.requires_grad else x.new_empty(successors.shape)
        products = torch.mul(x, successors, out=room).flatten(0, 1)
        return products[: len(x) * (len(x) + 1) // 2]
