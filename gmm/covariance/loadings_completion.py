"""Missing values under covariances that are loadings and noise: factor analysis of what is known.

Given latent variables, features are independent of each other, so a pattern needs one matrix of
the size of the rank. The M-step's sums are those of Ghahramani & Hinton (1996), in expectation over
what is missing too.
"""

import math
from functools import cached_property

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


class LoadingsCompletion(Completion):
    """Completion by the latent variables of what is known.

    Args:
        chol: Loadings W and noise variances ψ.
        means: Component means about the reference.
        part: The samples.
        offset: Latent variables of the means, as of samples without missing values: their sums are
            about the reference.
    """

    def __init__(
        self,
        chol: Float[Tensor, "run k d q1"],
        means: Float[Tensor, "run k d"],
        part: Incomplete,
        offset: Float[Tensor, "run k q 1"],
    ) -> None:
        self.loadings, self.noise = chol[..., :-1], chol[..., -1]
        self.means = means
        self.part = part
        self.offset = offset
        self._known_deviations = known_deviations(part, means)
        self.latent, self.log_determinant, self._uncertainties = self._infer()

    def _infer(
        self,
    ) -> tuple[
        Float[Tensor, "run k q n"],
        Float[Tensor, "run k n"],
        list[Float[Tensor, "run k p q q"]],
    ]:
        """Means of the latent variables, and log determinants and inverses of their precisions."""
        weighted = self.loadings / self.noise[..., None]
        pull = weighted.mT @ self._known_deviations
        outer = (weighted[..., :, None] * self.loadings[..., None, :]).flatten(-2)
        eye = torch.eye(pull.shape[2], dtype=pull.dtype, device=pull.device)
        room = padded_zeros(pull, *pull.shape[:3], pull.shape[3] + 1)
        determinants, uncertainties = room[..., 0, :], []
        for group in self.part.groups:
            known = self._known(group)
            lower = torch.linalg.cholesky_ex(eye + (known @ outer).unflatten(-1, eye.shape)).L
            whitener = torch.linalg.solve_triangular(lower, eye.expand_as(lower), upper=False)
            uncertainty = whitener.mT @ whitener
            values = uncertainty @ take(pull, group.samples).movedim(2, 3)
            room = put(room, group.samples, values.movedim(3, 2))
            logs = lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            logs = logs[..., None].expand(*logs.shape, group.samples.shape[1])
            determinants = put(determinants, group.samples, logs)
            uncertainties.append(uncertainty)
        return room[..., :-1], determinants[..., :-1], uncertainties

    def _known(self, group: Group) -> Float[Tensor, "p d"]:
        """Which features the samples of each pattern have."""
        return self.part.known.T[group.samples[:, 0]].to(self.noise.dtype)

    @cached_property
    def _explained(self) -> Float[Tensor, "run k d n"]:
        return self.loadings @ self.latent

    @cached_property
    @override
    def log_density(self) -> Float[Tensor, "run k n"]:
        # A sum of squares at its minimum, see LowRank.squared_distances.
        known = self.part.known.to(self.noise.dtype)
        residual = self._known_deviations - self._explained.where(self.part.known, 0.0)
        distances = (self.noise.reciprocal()[..., None, :] @ residual.square())[..., 0, :]
        distances = distances + self.latent.square().sum(-2)
        level = (self.noise.log() + math.log(2 * math.pi)) / -2
        return level @ known - self.log_determinant - distances / 2

    @override
    def moments(
        self, resp: Float[Tensor, "run k n"]
    ) -> tuple[Float[Tensor, "run k d"], Float[Tensor, "run k m"]]:
        """Sums of x², u, x uᵀ and E[z zᵀ], as :meth:`LowRank.second_moments` has them."""
        completed = self._known_deviations.where(self.part.known, self._explained)
        completed = completed + self.means[..., None]
        latent = self.latent + self.offset
        shares = resp[..., None, :] * latent
        squares, products, outer = self._spread(resp)
        squares = squares + (resp[..., None, :] * completed.square()).sum(-1)
        products = products + shares @ completed.mT
        outer = outer + shares @ latent.mT
        first = (resp[..., None, :] * completed).sum(-1)
        second = [squares, shares.sum(-1), products.flatten(2), outer.flatten(2)]
        return first, torch.cat(second, -1)

    def _spread(
        self, resp: Float[Tensor, "run k n"]
    ) -> tuple[Float[Tensor, "run k d"], Float[Tensor, "run k q d"], Float[Tensor, "run k q q"]]:
        """What uncertain values add to the sums of x², x uᵀ and z zᵀ."""
        missing_counts = resp @ (~self.part.known).T.to(resp.dtype)
        run, k, d, q = self.loadings.shape
        # Sums of the latent covariances: of all samples, and of those that miss each feature.
        all_sums = padded_zeros(resp, run, k, q, q)
        sums = padded_zeros(resp, run, k, d, q, q)
        for group, uncertainty in zip(self.part.groups, self._uncertainties, strict=True):
            counts = take(resp, group.samples).sum(-1)
            flat = uncertainty.flatten(-2)
            all_sums = all_sums + (counts[..., None, :] @ flat).unflatten(-1, (q, q))[..., 0, :, :]
            missing = counts[..., None, :] * (1 - self._known(group)).T
            sums = sums + (missing @ flat).unflatten(-1, (q, q))
        products = (sums @ self.loadings[..., None])[..., 0]
        squares = (products * self.loadings).sum(-1) + missing_counts * self.noise
        return squares, products.mT, all_sums
