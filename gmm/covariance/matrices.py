"""Covariances that are matrices, whichever components share one: ``full`` and ``tied``."""

from abc import abstractmethod
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal
from typing_extensions import override

from gmm.covariance.base import (
    Covariance,
    are_finite,
    coloured_products,
    restore_factors,
    shown_attributes,
)
from gmm.covariance.completion import Completion, Incomplete
from gmm.covariance.halves import factorise_lower, invert_triangular
from gmm.covariance.matrix_completion import Forms, MatrixCompletion
from gmm.covariance.noise import Noisy, NoisyMatrices
from gmm.covariance.rounding import ROUNDING, drop_rounding
from gmm.covariance.triangles import distances, square, weighted_products

ADDED_SHARES = tuple(torch.finfo(torch.float64).eps * 4.0**step for step in range(17))
# Of each feature's variance, to be added where a matrix is not positive definite: from the rounding
# of one number to 1e-6, in steps small enough that four times the least is the most that is added.

ROWS_AT_ONCE = 64  # of a factor, for few samples

SAFELY = 1e4 * ROUNDING  # of the sum that a variance is the rest of


class Matrices(Covariance):
    """One matrix for some components: a subclass says which of them share it, and is final."""

    couples_features = True
    in_float32 = True
    plain_moments = True

    @abstractmethod
    def pool(self, per_component: Float[Tensor, "run k *rest"]) -> Float[Tensor, "run kq *rest"]:
        """Sums over the components that share a matrix."""

    @abstractmethod
    def pool_products(
        self, left: Float[Tensor, "run k d"], right: Float[Tensor, "run k d"]
    ) -> Float[Tensor, "run kq d d"]:
        """Outer products of two vectors of each component, summed as :meth:`pool` sums."""

    @override
    def second_moments(
        self,
        x: Float[Tensor, "d n"],
        resp: Float[Tensor, "run k n"],
        chol: Float[Tensor, "run ..."] | None = None,
    ) -> Float[Tensor, "run kq m"]:
        shares = self.pool(resp)
        products = weighted_products(x, shares.flatten(0, 1))
        return products.flatten(1).unflatten(0, shares.shape[:2])

    @override
    def unpack(
        self, products: Float[Tensor, "run k p"], n_features: int
    ) -> Float[Tensor, "run kq m"]:
        return unpack(self.pool(products), n_features)

    @override
    def estimate(
        self,
        counts: Float[Tensor, "run k"],
        means: Float[Tensor, "run k d"],
        second: Float[Tensor, "run kq m"],
        reg_covar: float,
    ) -> Float[Tensor, "run kq d d"]:
        n_features = means.shape[-1]
        total = second.unflatten(-1, (n_features, n_features))
        within = total - self.pool_products(counts[..., None] * means, means)
        variances = within.diagonal(dim1=-2, dim2=-1)
        # Where no variance is near to its own rounding error, no covariance has to be taken for 0.
        # A GPU is not asked: to wait for its answer takes it longer than to go through them all.
        on_cpu = within.device.type == "cpu"
        if not on_cpu or not (variances > SAFELY * total.diagonal(dim1=-2, dim2=-1)).all():
            within = drop_rounding(within, total)
        covariances = within.div_(self.pool(counts)[..., None, None])
        covariances.diagonal(dim1=-2, dim2=-1).add_(reg_covar)
        return covariances

    @override
    def factorise(
        self, covariances: Float[Tensor, "run kq d d"]
    ) -> tuple[Float[Tensor, "run kq d d"], Bool[Tensor, " run"]]:
        lower, info = factorise_lower(covariances)
        chol = invert_triangular(lower, upper=False).mT.contiguous()
        return chol, (info == 0).all(-1) & are_finite(chol)

    @override
    def make_definite(
        self, covariances: Float[Tensor, "run kq d d"]
    ) -> tuple[Float[Tensor, "run kq d d"], Float[Tensor, "run kq d"] | None]:
        variances = covariances.diagonal(dim1=-2, dim2=-1)
        share = torch.zeros_like(variances[..., :1])
        for next_share in ADDED_SHARES:
            widened = covariances + (share * variances).diag_embed()
            failing = factorise_lower(widened)[1][..., None] > 0
            if not failing.any():
                break
            share = share.where(~failing, next_share)
        added = share * variances
        return covariances + added.diag_embed(), added

    @override
    def fits(self, chol: Float[Tensor, "run kq d d"]) -> Bool[Tensor, " run"]:
        upper = (chol.tril(-1) == 0).flatten(1).all(-1)
        return upper & (chol.diagonal(dim1=-2, dim2=-1) > 0).flatten(1).all(-1)

    @override
    def factorise_precisions(
        self, precisions: Float[Tensor, "run kq d d"]
    ) -> tuple[Float[Tensor, "run kq d d"], Bool[Tensor, " run"]]:
        # Reversing rows and columns turns the lower factor L Lᵀ into the upper one U Uᵀ.
        lower, info = torch.linalg.cholesky_ex(precisions.flip(-2, -1))
        return lower.flip(-2, -1), (info == 0).all(-1) & are_finite(lower)

    @override
    def precisions(self, chol: Float[Tensor, "run kq d d"]) -> Float[Tensor, "run kq d d"]:
        return square(chol, upper=True)

    @override
    def covariances(self, chol: Float[Tensor, "run kq d d"]) -> Float[Tensor, "run kq d d"]:
        # Reversing rows and columns turns the upper factor U Uᵀ into the lower one L Lᵀ.
        return torch.cholesky_inverse(chol.flip(-2, -1)).flip(-2, -1)

    @override
    def log_determinant(
        self, chol: Float[Tensor, "run kq d d"], n_features: int
    ) -> Float[Tensor, "run kq"]:
        return chol.diagonal(dim1=-2, dim2=-1).double().log().sum(-1)

    @override
    def inflation(self, chol: Float[Tensor, "run kq d d"]) -> Float[Tensor, "run kq"]:
        inverse = invert_triangular(chol, upper=True)
        return (chol.square().sum(-1) * inverse.square().sum(-2)).mean(-1)

    @override
    def quadratic_coefficients(
        self, chol: Float[Tensor, "run kq d d"]
    ) -> Float[Tensor, "run kq p"]:
        precisions = self.precisions(chol)
        rows, columns = pairs(chol.shape[-1], chol.device)
        # Off the diagonal, x_i x_j stands for x_j x_i too.
        return precisions[..., rows, columns] * torch.where(rows == columns, 1, 2)

    @override
    def precision_times(
        self, chol: Float[Tensor, "run kq d d"], vectors: Float[Tensor, "run k d"]
    ) -> Float[Tensor, "run k d"]:
        # As rows: BLAS takes ten times as long for one column of the transposed factor.
        return ((vectors[..., None, :] @ chol) @ chol.mT)[..., 0, :]

    @override
    def squared_distances(
        self, chol: Float[Tensor, "run kq d d"], deviations: Float[Tensor, "run k d n"]
    ) -> Float[Tensor, "run k n"]:
        d, n_samples = deviations.shape[-2:]
        if n_samples >= d:
            return (chol.to(deviations.dtype).mT @ deviations).square().sum(-2)
        rows = deviations.mT  # see precision_times
        if d <= ROWS_AT_ONCE:
            return (rows @ chol.to(rows.dtype)).square().sum(-1)
        # Of the triangle alone and block by block, so that a large factor in float32 is read once
        # and is never there as a whole in float64.
        whitened = torch.zeros_like(rows)
        for first in range(0, d, ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            whitened[..., first:] += rows[..., part] @ chol[..., part, first:].to(rows.dtype)
        return whitened.square().sum(-1)

    @override
    def distances_from(
        self, chol: Float[Tensor, "run kq d d"], means: Float[Tensor, "run k d"], n_samples: int
    ) -> Callable[[Float[Tensor, "d n"]], Float[Tensor, "run k n"]]:
        return distances(chol, means, n_samples)

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
        factor = self.factorise_precisions(precisions[..., kept])[0]
        pull = torch.linalg.solve_triangular(factor, precisions[..., given], upper=True)
        return -torch.linalg.solve_triangular(factor.mT, pull @ deviations, upper=False), factor

    @override
    def completer(
        self, chol: Float[Tensor, "run kq d d"], means: Float[Tensor, "run k d"]
    ) -> Callable[[Incomplete], Completion]:
        forms = Forms(chol, self.precisions(chol), self.covariances(chol))
        return lambda part: MatrixCompletion(forms, means, part, self._collect)

    @override
    def complete_noisy(
        self, chol: Float[Tensor, "run kq d d"], means: Float[Tensor, "run k d"], part: Noisy
    ) -> Completion:
        covariances = self.covariances(chol).expand(*means.shape, -1)
        return NoisyMatrices(covariances, means, part, self._collect)

    def _collect(self, second: Float[Tensor, "run k d d"]) -> Float[Tensor, "run kq m"]:
        """Second moments, of sums of the products of each component."""
        return self.pool(second).flatten(-2)

    @override
    def attributes(
        self, chol: Float[Tensor, "run kq d d"], n_components: int, n_features: int
    ) -> dict[str, Tensor]:
        return shown_attributes(self, chol, n_components, n_features)

    @override
    def from_attributes(self, estimator: Any) -> Float[Tensor, "1 ..."]:
        return restore_factors(self, estimator)

    @override
    def distribution(
        self, chol: Float[Tensor, "run kq d d"], means: Float[Tensor, "run k d"]
    ) -> Distribution:
        eye = torch.eye(means.shape[-1], dtype=chol.dtype, device=chol.device)
        triangles = self.colour(chol, eye.expand(*means.shape, means.shape[-1]))
        return MultivariateNormal(means[0], scale_tril=triangles[0])

    @override
    def dense(
        self, chol: Float[Tensor, "run kq d d"], n_components: int, n_features: int
    ) -> Float[Tensor, "run k d d"]:
        return coloured_products(self, chol, n_components, n_features)


def unpack(packed: Float[Tensor, "run kq p"], n_features: int) -> Float[Tensor, "run kq m"]:
    """All elements of symmetric matrices, from the products among the monomials."""
    places = _places(n_features, packed.device).expand(*packed.shape[:-1], -1)
    return packed.gather(-1, places)  # an index does the same in eight times as long


@cache
@torch.inference_mode(False)  # gradients pass what is kept, whoever asked for it first
def _places(n_features: int, device: torch.device) -> Int[Tensor, " m"]:
    """Where each element of a matrix is among the products."""
    rows, columns = pairs(n_features, device)
    places = rows.new_empty(n_features, n_features)
    places[rows, columns] = places[columns, rows] = torch.arange(len(rows), device=device)
    return places.flatten()


@cache
@torch.inference_mode(False)
def pairs(n_features: int, device: torch.device) -> tuple[Int[Tensor, " p"], Int[Tensor, " p"]]:
    """Which features :meth:`Full.monomials` multiplies, in its order."""
    index = torch.arange(n_features * (n_features + 1) // 2, device=device)
    first = index % n_features
    return first, (first + index // n_features) % n_features
