"""``full``: one matrix per component."""

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from gmm.covariance.matrices import Matrices

MOST_PACKED_FEATURES = 64
# Beyond, the d(d+1)/2 products of a chunk leave the cache (64 features: 2080 rows), while one
# d × n × d product per component is large enough to run at full speed by itself.


class Full(Matrices):
    """One matrix per component."""

    shares_form = False

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
    def packs(self, n_features: int) -> bool:
        return n_features <= MOST_PACKED_FEATURES

    @override
    def scratch(self, n_components: int, n_features: int) -> int:
        if self.packs(n_features):
            return n_features * (n_features + 3) // 2 + n_components
        return n_features * n_components

    @override
    def quadratics(self, x: Float[Tensor, "d n"]) -> Float[Tensor, "m n"] | None:
        if not self.packs(len(x)):
            return None
        # Every pair once, as x_i times its s-th cyclic successor: one product of two views.
        successors = torch.cat([x, x]).unfold(0, len(x), 1)[: len(x) // 2 + 1].mT
        # Where it is written is named, since torch would order the pairs otherwise, and copy them.
        room = None if x.requires_grad else x.new_empty(successors.shape)
        products = torch.mul(x, successors, out=room).flatten(0, 1)
        return products[: len(x) * (len(x) + 1) // 2]
