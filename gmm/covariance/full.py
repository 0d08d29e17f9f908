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
    has_products = True

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
    def monomials(self, x: Float[Tensor, "d n"]) -> tuple[Float[Tensor, "_ n"], ...]:
        # Every pair once, as x_i times its s-th cyclic successor: one product of two views.
        d, n_shifts, n_pairs = len(x), len(x) // 2 + 1, len(x) * (len(x) + 1) // 2
        x = x.contiguous()
        successors = torch.cat([x, x]).unfold(0, d, 1)[:n_shifts].mT
        if x.requires_grad:
            return (torch.cat([x, (x * successors).flatten(0, 1)[:n_pairs]]),)
        # Where it is written is named, since torch would order the pairs otherwise, and copy them.
        room = x.new_empty(d + n_shifts * d, x.shape[1])
        room[:d] = x
        torch.mul(x, successors, out=room[d:].unflatten(0, (n_shifts, d)))
        return (room[: d + n_pairs],)
