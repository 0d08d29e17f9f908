"""Missing values under covariances that are matrices.

A pattern needs one small matrix per component. Where it misses fewer features than it knows, that
is the missing block of the precision; otherwise the known block of the covariance. Patterns of
nearly equal size are one batch, and everything else is products over all samples.
"""

import math
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from gmm.covariance.completion import (
    Completion,
    Group,
    Incomplete,
    known_deviations,
    padded_zeros,
    put,
    take,
)


class Forms(NamedTuple):
    """Covariances in the forms that completion needs.

    Args:
        factors: Factors U of the precisions.
        precisions: Precisions P = U Uᵀ.
        covariances: Their inverses Σ.
    """

    factors: Float[Tensor, "run kq d d"]
    precisions: Float[Tensor, "run kq d d"]
    covariances: Float[Tensor, "run kq d d"]


class Solved(NamedTuple):
    """Factors of every pattern of a group, and what they say of its samples.

    Args:
        whitener: L⁻¹ of the blocks L Lᵀ of the patterns; rows of padding have no meaning.
        log_determinant: Sums of log L_ii.
        values: The inverse of the block times the right-hand side of each sample.
    """

    whitener: Float[Tensor, "run kq p s s"]
    log_determinant: Float[Tensor, "run kq p"]
    values: Float[Tensor, "run k p s w"]


class MatrixCompletion(Completion):
    """Completion by conditional Gaussians, Bishop (2006) eqs. 2.73, 2.75, 2.81 and 2.82.

    Args:
        forms: The components' covariances.
        means: Component means about the reference.
        part: The samples.
        collect: Turns sums of products of each component into the second moments of the type.
    """

    def __init__(
        self,
        forms: Forms,
        means: Float[Tensor, "run k d"],
        part: Incomplete,
        collect: Callable[[Float[Tensor, "run k d d"]], Float[Tensor, "run kq m"]],
    ) -> None:
        self.collect = collect
        self.forms = forms
        self.means = means
        self.part = part
        self.deviations, self.log_determinant, self._whiteners = self._complete()

    def _complete(
        self,
    ) -> tuple[
        Float[Tensor, "run k d n"],
        Float[Tensor, "run kq n"],
        list[Float[Tensor, "run kq p s s"]],
    ]:
        """Deviations of the completed samples, log determinants, and a factor per pattern.

        Log determinants are of the precision of what is known, halved.
        """
        part, deviations = self.part, known_deviations(self.part, self.means)
        run, k, d, n = deviations.shape
        matrices, right = self.forms.covariances, deviations
        if part.few_missing:
            matrices = self.forms.precisions
            right = matrices @ deviations
        room = padded_zeros(right, run, k, d + 1, n + 1)
        determinants = padded_zeros(right, run, matrices.shape[1], n + 1)
        whiteners = []
        for group in part.groups:
            solved = solve(matrices, group, right)
            features, samples = group.features[:, :, None], group.samples[:, None]
            room[..., features, samples] = solved.values
            log_determinant = solved.log_determinant[..., None]
            log_determinant = log_determinant.expand(*determinants.shape[:2], *group.samples.shape)
            determinants = put(determinants, group.samples, log_determinant)
            whiteners.append(solved.whitener)
        shift = room[..., :d, :n]
        if part.few_missing:
            whole = self.forms.factors.diagonal(dim1=-2, dim2=-1).log().sum(-1, keepdim=True)
            return deviations - shift, whole - determinants[..., :n], whiteners
        completed = deviations.where(part.known, self.forms.covariances @ shift)
        return completed, -determinants[..., :n], whiteners

    @cached_property
    @override
    def log_density(self) -> Float[Tensor, "run k n"]:
        # At the conditional mean, the distance of the whole sample is that of its known values, and
        # an error of the mean counts only in second order.
        distances = (self.forms.factors.mT @ self.deviations).square().sum(-2)
        # In its own precision: an integer times a number of Python's would be float32.
        n_known = self.part.known.sum(0, dtype=distances.dtype)
        return self.log_determinant - n_known * (math.log(2 * math.pi) / 2) - distances / 2

    @override
    def moments(
        self, resp: Float[Tensor, "run k n"]
    ) -> tuple[Float[Tensor, "run k d"], Float[Tensor, "run kq m"]]:
        completed = self.deviations + self.means[..., None]
        shares = completed * resp[..., None, :]
        return shares.sum(-1), self.collect(shares @ completed.mT + self._spread(resp))

    def _spread(self, resp: Float[Tensor, "run k n"]) -> Float[Tensor, "run k d d"]:
        """Conditional covariances of what is missing, weighted by responsibilities."""
        run, k, d, _ = self.deviations.shape
        within = padded_zeros(resp, run, k, d, d)
        for group, whitener in zip(self.part.groups, self._whiteners, strict=True):
            within = within + inverse_sums(group, whitener, take(resp, group.samples).sum(-1), d)
        if self.part.few_missing:
            return within
        # Σ - Σ E Σ_oo⁻¹ Eᵀ Σ, summed over the patterns before it is multiplied.
        counts = resp.sum(-1)[..., None, None]
        covariances = self.forms.covariances
        return counts * covariances - covariances @ within @ covariances


def solve(
    matrices: Float[Tensor, "run kq d d"], group: Group, right: Float[Tensor, "run k d n"]
) -> Solved:
    """The blocks of a group's patterns, factorised and solved for the rows of ``right``."""
    d, n = right.shape[-2:]
    real = group.features < d
    features, samples = group.features.clamp(max=d - 1), group.samples.clamp(max=n - 1)
    eye = torch.eye(features.shape[1], dtype=right.dtype, device=right.device)
    blocks = matrices[..., features[:, :, None], features[:, None]]
    blocks = blocks.where(real[:, :, None] & real[:, None], eye)
    # cholesky_ex: one collapsed run must not raise for its siblings.
    lower = torch.linalg.cholesky_ex(blocks).L
    whitener = torch.linalg.solve_triangular(lower, eye.expand_as(lower), upper=False)
    log_determinant = lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    values = right[..., features[:, :, None], samples[:, None]]
    return Solved(whitener, log_determinant, whitener.mT @ (whitener @ values))


def inverse_sums(
    group: Group,
    whitener: Float[Tensor, "run kq p s s"],
    counts: Float[Tensor, "run k p"],
    n_features: int,
) -> Float[Tensor, "run k d d"]:
    """Inverses of the patterns' blocks in the places of their features, each ``counts`` times."""
    run, k, _ = counts.shape
    inverses = (whitener * counts[..., None, None]).mT @ whitener
    width = n_features + 1  # with a row and a column for padding
    place = (group.features[:, :, None] * width + group.features[:, None]).flatten()
    place = torch.arange(run * k, device=place.device)[:, None] * width**2 + place
    room = padded_zeros(counts, run * k * width**2)
    # Not index_add, which on a GPU adds in another order every time.
    room = room.index_put((place.flatten(),), inverses.flatten(), accumulate=True)
    return room.view(run, k, width, width)[..., :n_features, :n_features]
