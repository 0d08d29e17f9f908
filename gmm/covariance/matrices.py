"""Covariances that are matrices: ``full`` and ``tied``."""

from functools import cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from typing_extensions import override

from gmm.covariance.base import Covariance, finite, significant
from gmm.covariance.products import times

MOST_PACKED_FEATURES = 64
# Beyond, the d(d+1)/2 products of a chunk leave the cache (64 features: 2080 rows), while one
# d × n × d product per component is large enough to run at full speed by itself.


class Full(Covariance):
    """One matrix per component. ``Tied`` is the one subclass: it pools components, no more."""

    @override
    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features, n_features)

    @override
    def inner_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features, n_features)

    @override
    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2

    def pooled(self, per_component: Float[Tensor, "run k *rest"]) -> Float[Tensor, "run kq *rest"]:
        """Sums over the components that share a matrix: here, none do."""
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

    @override
    def second_moments(
        self,
        x: Float[Tensor, "d n"],
        quadratics: Float[Tensor, "m n"] | None,
        resp: Float[Tensor, "run k n"],
        chol: Float[Tensor, "run ..."] | None = None,
    ) -> Float[Tensor, "run kq m"]:
        shares = self.pooled(resp)
        if quadratics is not None:
            return times(shares, quadratics.T)
        products = [((x * share) @ x.T).flatten() for share in shares.flatten(0, 1)]
        return torch.stack(products).unflatten(0, shares.shape[:2])

    @override
    def estimate(
        self,
        counts: Float[Tensor, "run k"],
        means: Float[Tensor, "run k d"],
        second: Float[Tensor, "run kq m"],
        reg_covar: float,
    ) -> Float[Tensor, "run kq d d"]:
        n_features = means.shape[-1]
        between = counts[..., None, None] * means[..., :, None] * means[..., None, :]
        total = unpacked(second, n_features)
        within = significant(total - self.pooled(between), total)
        eye = torch.eye(n_features, dtype=means.dtype, device=means.device)
        return within / self.pooled(counts)[..., None, None] + reg_covar * eye

    @override
    def factorise(
        self, covariances: Float[Tensor, "run kq d d"]
    ) -> tuple[Float[Tensor, "run kq d d"], Bool[Tensor, " run"]]:
        # cholesky_ex: one collapsed run must not raise for its siblings.
        lower, info = torch.linalg.cholesky_ex(covariances)
        chol = inverse_triangular(lower, upper=False).mT.contiguous()
        return chol, (info == 0).all(-1) & finite(chol)

    @override
    def factorise_precisions(
        self, precisions: Float[Tensor, "run kq d d"]
    ) -> tuple[Float[Tensor, "run kq d d"], Bool[Tensor, " run"]]:
        # Reversing rows and columns turns the lower factor L Lᵀ into the upper one U Uᵀ.
        lower, info = torch.linalg.cholesky_ex(precisions.flip(-2, -1))
        return lower.flip(-2, -1), (info == 0).all(-1) & finite(lower)

    @override
    def precisions(self, chol: Float[Tensor, "run kq d d"]) -> Float[Tensor, "run kq d d"]:
        return chol @ chol.mT

    @override
    def covariances(self, chol: Float[Tensor, "run kq d d"]) -> Float[Tensor, "run kq d d"]:
        inverse = inverse_triangular(chol, upper=True)
        return inverse.mT @ inverse

    @override
    def log_determinant(
        self, chol: Float[Tensor, "run kq d d"], n_features: int
    ) -> Float[Tensor, "run kq"]:
        return chol.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    @override
    def quadratic_coefficients(
        self, chol: Float[Tensor, "run kq d d"]
    ) -> Float[Tensor, "run kq m"]:
        precisions = self.precisions(chol)
        rows, columns = pairs(chol.shape[-1], chol.device)
        # Off the diagonal, x_i x_j stands for x_j x_i too.
        return precisions[..., rows, columns] * torch.where(rows == columns, 1, 2)

    @override
    def precision_times(
        self, chol: Float[Tensor, "run kq d d"], vectors: Float[Tensor, "run k d"]
    ) -> Float[Tensor, "run k d"]:
        return (chol @ (chol.mT @ vectors[..., None]))[..., 0]

    @override
    def squared_distances(
        self, chol: Float[Tensor, "run kq d d"], deviations: Float[Tensor, "run k d n"]
    ) -> Float[Tensor, "run k n"]:
        return (chol.mT @ deviations).square().sum(-2)

    @override
    def colour(
        self, chol: Float[Tensor, "run kq d d"], noise: Float[Tensor, "run k d n"]
    ) -> Float[Tensor, "run k d n"]:
        return torch.linalg.solve_triangular(chol.mT, noise, upper=False)

    @override
    def marginal(
        self, chol: Float[Tensor, "run kq d d"], features: Int[Tensor, " kept"]
    ) -> Float[Tensor, "run kq kept kept"]:
        return self.factorise(self.covariances(chol)[..., features[:, None], features])[0]

    @override
    def conditional(
        self,
        chol: Float[Tensor, "run kq d d"],
        kept: Int[Tensor, " kept"],
        given: Int[Tensor, " given"],
        deviations: Float[Tensor, "run k given n"],
    ) -> tuple[Float[Tensor, "run k kept n"], Float[Tensor, "run kq kept kept"]]:
        precisions = self.precisions(chol)[..., kept, :]
        found = self.factorise_precisions(precisions[..., kept])[0]
        pull = torch.linalg.solve_triangular(found, precisions[..., given], upper=True)
        return -torch.linalg.solve_triangular(found.mT, pull @ deviations, upper=False), found


class Tied(Full):
    """One matrix that all components share."""

    shares_form = True

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
    def packs(self, n_features: int) -> bool:
        return False

    @override
    def scratch(self, n_components: int, n_features: int) -> int:
        return 2 * (n_features + n_components)

    def pooled(self, per_component: Float[Tensor, "run k *rest"]) -> Float[Tensor, "run 1 *rest"]:
        """Sums over all components.

        scikit-learn takes every sample once instead, which is the same where responsibilities sum
        to 1; where they do not (seeds alone), its covariance depends on the origin and this does
        not.
        """
        return per_component.sum(1, keepdim=True)


def unpacked(second: Float[Tensor, "run kq m"], n_features: int) -> Float[Tensor, "run kq d d"]:
    """Symmetric matrices from the products of :meth:`Full.quadratics`, or from all elements."""
    if second.shape[-1] == n_features * n_features:
        return second.unflatten(-1, (n_features, n_features))
    rows, columns = pairs(n_features, second.device)
    matrices = second.new_empty(*second.shape[:-1], n_features, n_features)
    matrices[..., rows, columns] = second
    matrices[..., columns, rows] = second
    return matrices


@cache
def pairs(n_features: int, device: torch.device) -> tuple[Int[Tensor, " m"], Int[Tensor, " m"]]:
    """Which features :meth:`Full.quadratics` multiplies, in its order."""
    index = torch.arange(n_features * (n_features + 1) // 2, device=device)
    first = index % n_features
    return first, (first + index // n_features) % n_features


def inverse_triangular(
    factor: Float[Tensor, "*run d d"], *, upper: bool
) -> Float[Tensor, "*run d d"]:
    """The inverse of a triangular matrix."""
    eye = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    return torch.linalg.solve_triangular(factor, eye, upper=upper)
