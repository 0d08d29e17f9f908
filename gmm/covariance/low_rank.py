"""Covariances that are loadings and noise: ``low_rank``, mixtures of factor analysers."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.distributions import Distribution, LowRankMultivariateNormal
from typing_extensions import override

from gmm.covariance.base import Covariance, are_finite
from gmm.covariance.completion import Completion, Incomplete
from gmm.covariance.cost import Task
from gmm.covariance.factor_analysis import (
    centre_moments,
    latent_factor,
    latent_gain,
    maximise_loadings,
    random_directions,
    start_loadings,
)
from gmm.covariance.loadings_completion import LoadingsCompletion
from gmm.covariance.noise import Noisy

OVERSAMPLING = 10  # directions beyond the rank that the start looks in: Halko et al. (2011), 4.2


class LowRank(Covariance):
    """Σ = W Wᵀ + diag(ψ) per component, with few columns of loadings W: factor analysis.

    Nothing is ever d × d: densities go through Woodbury's identity, and the M-step is that of
    Ghahramani & Hinton (1996) and of McLachlan & Peel (2000), section 8. Factors and covariances
    are the same tensor ``run k d q+1``: the loadings, and the noise variances ψ as last column.

    Args:
        rank: Columns of the loadings; at most as many as features are used.
    """

    couples_features = True
    shares_form = False
    # Woodbury's identity divides by noise variances that float32 would round to nothing.
    in_float32 = False
    far_in_float32 = False
    has_products = False
    plain_moments = False

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def n_loadings(self, n_features: int) -> int:
        """Columns of the loadings."""
        return min(self.rank, n_features)

    @override
    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features, self.n_loadings(n_features) + 1)

    @override
    def inner_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return self.shape(n_components, n_features)

    @override
    def n_parameters(self, n_components: int, n_features: int) -> int:
        # Rotating the loadings changes no covariance, and no covariance has more than a matrix has.
        q = self.n_loadings(n_features)
        free = n_features * (q + 1) - q * (q - 1) // 2
        return n_components * min(free, n_features * (n_features + 1) // 2)

    @override
    def packs(self, task: Task) -> bool:
        return False

    @override
    def scratch(self, n_components: int, n_features: int, *, packs: bool = True) -> int:
        return n_components * (n_features + 3 * self.n_loadings(n_features))

    @override
    def monomials(self, x: Float[Tensor, "d n"]) -> tuple[Float[Tensor, "_ n"], ...]:
        return (x,)

    @override
    def unpack(
        self, products: Float[Tensor, "run k p"], n_features: int
    ) -> Float[Tensor, "run kq m"]:
        raise NotImplementedError("low_rank has no products")

    @override
    def second_moments(
        self,
        x: Float[Tensor, "d n"],
        resp: Float[Tensor, "run k n"],
        chol: Float[Tensor, "run k d q1"] | None = None,
    ) -> Float[Tensor, "run k m"]:
        """Sums of x², u, x uᵀ and E[z zᵀ] for latent variables z of mean u up to a constant.

        u = Wᵀ Σ⁻¹ x, and the covariance of z is (I + Wᵀ Ψ⁻¹ W)⁻¹. Where EM starts, u are instead
        projections on random directions, without noise.
        """
        if chol is None:
            gain = random_directions(x, self.n_loadings(len(x)) + OVERSAMPLING)
            uncertainty = x.new_zeros(1)
        else:
            factor = latent_factor(chol)
            gain, uncertainty = latent_gain(chol), torch.cholesky_inverse(factor)
        latent = gain.mT @ x
        shares = resp[..., None, :] * latent
        outer = shares @ latent.mT + resp.sum(-1)[..., None, None] * uncertainty
        sums = resp @ x.square().T, shares.sum(-1), (shares @ x.T).flatten(2), outer.flatten(2)
        return torch.cat(sums, -1)

    @override
    def estimate(
        self,
        counts: Float[Tensor, "run k"],
        means: Float[Tensor, "run k d"],
        second: Float[Tensor, "run k m"],
        reg_covar: float,
    ) -> Float[Tensor, "run k d q1"]:
        moments = centre_moments(second, counts, means)
        q = self.n_loadings(means.shape[-1])
        if moments.latent.shape[-1] == q:
            return maximise_loadings(moments, reg_covar)
        return start_loadings(moments, q, reg_covar)

    @override
    def factorise(
        self, covariances: Float[Tensor, "run k d q1"]
    ) -> tuple[Float[Tensor, "run k d q1"], Bool[Tensor, " run"]]:
        positive = (covariances[..., -1] > 0).flatten(1).all(-1)
        return covariances, positive & are_finite(covariances)

    @override
    def make_definite(
        self, covariances: Float[Tensor, "run k d q1"]
    ) -> tuple[Float[Tensor, "run k d q1"], None]:
        return covariances, None

    @override
    def fits(self, chol: Float[Tensor, "run k d q1"]) -> Bool[Tensor, " run"]:
        return (chol[..., -1] > 0).flatten(1).all(-1)

    @override
    def factorise_precisions(
        self, precisions: Float[Tensor, "run k d q1"]
    ) -> tuple[Float[Tensor, "run k d q1"], Bool[Tensor, " run"]]:
        scaled, noise = precisions[..., :-1], precisions[..., -1:].reciprocal()
        eye = torch.eye(scaled.shape[-1], dtype=scaled.dtype, device=scaled.device)
        lower, info = torch.linalg.cholesky_ex(eye - scaled.mT @ (noise * scaled))
        loadings = torch.linalg.solve_triangular(lower, (noise * scaled).mT, upper=False).mT
        chol, valid = self.factorise(torch.cat([loadings, noise], -1))
        return chol, valid & (info == 0).all(-1)

    @override
    def precisions(self, chol: Float[Tensor, "run k d q1"]) -> Float[Tensor, "run k d q1"]:
        """B and 1 / ψ of the precision diag(1 / ψ) - B Bᵀ."""
        weighted = (chol[..., :-1] / chol[..., -1:]).mT
        scaled = torch.linalg.solve_triangular(latent_factor(chol), weighted, upper=False).mT
        return torch.cat([scaled, chol[..., -1:].reciprocal()], -1)

    @override
    def covariances(self, chol: Float[Tensor, "run k d q1"]) -> Float[Tensor, "run k d q1"]:
        return chol

    @override
    def log_determinant(
        self, chol: Float[Tensor, "run k d q1"], n_features: int
    ) -> Float[Tensor, "run k"]:
        chol = chol.double()
        latent = latent_factor(chol).diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return chol[..., -1].log().sum(-1) / -2 - latent

    @override
    def inflation(self, chol: Float[Tensor, "run k d q1"]) -> Float[Tensor, "run k"]:
        raise AssertionError("low_rank does not compute in float32")

    @override
    def quadratic_coefficients(self, chol: Float[Tensor, "run k d q1"]) -> Float[Tensor, "run k m"]:
        raise AssertionError("low_rank does not pack")

    @override
    def precision_times(
        self, chol: Float[Tensor, "run k d q1"], vectors: Float[Tensor, "run k d"]
    ) -> Float[Tensor, "run k d"]:
        latent = latent_gain(chol).mT @ vectors[..., None]
        return (vectors - (chol[..., :-1] @ latent)[..., 0]) / chol[..., -1]

    @override
    def squared_distances(
        self, chol: Float[Tensor, "run k d q1"], deviations: Float[Tensor, "run k d n"]
    ) -> Float[Tensor, "run k n"]:
        """Woodbury's identity, as the least of ‖x - μ - W z‖² / ψ + ‖z‖².

        The difference of the textbook cancels where loadings are large beside noise; a sum of
        squares at its minimum does not, and an error of z counts only in second order.
        """
        chol = chol.to(deviations.dtype)
        latent = latent_gain(chol).mT @ deviations
        residual = deviations - chol[..., :-1] @ latent
        # As a product, which reads the residuals once; dividing first would write them once more.
        noise = chol[..., None, :, -1].reciprocal() @ residual.square()
        return noise[..., 0, :] + latent.square().sum(-2)

    @override
    def distances_from(
        self, chol: Float[Tensor, "run k d q1"], means: Float[Tensor, "run k d"], n_samples: int
    ) -> Callable[[Float[Tensor, "d n"]], Float[Tensor, "run k n"]]:
        means = means.to(chol.dtype)

        def evaluate(x: Tensor) -> Tensor:
            # Run by run, so that the working set does not grow with the batch.
            runs = zip(chol.split(1), means[..., None].split(1), strict=True)
            return torch.cat([self.squared_distances(factor, x - mean) for factor, mean in runs])

        return evaluate

    @override
    def colour(
        self, chol: Float[Tensor, "run k d q1"], noise: Float[Tensor, "run k d n"]
    ) -> Float[Tensor, "run k d n"]:
        """By the factor √Ψ (I + V c(VᵀV) Vᵀ), V = W / √ψ: the symmetric root between the √Ψ."""
        scale = chol[..., -1:].sqrt()
        whitened = chol[..., :-1] / scale
        values, vectors = torch.linalg.eigh(whitened.mT @ whitened)
        axes = whitened @ vectors
        share = 1 / ((1 + values.clamp(min=0)).sqrt() + 1)
        return scale * (noise + axes @ (share[..., None] * (axes.mT @ noise)))

    @override
    def marginal(
        self, chol: Float[Tensor, "run k d q1"], features: Int[Tensor, " kept"]
    ) -> Float[Tensor, "run k kept q1"]:
        return chol[..., features, :]

    @override
    def conditional(
        self,
        chol: Float[Tensor, "run k d q1"],
        kept: Int[Tensor, " kept"],
        given: Int[Tensor, " given"],
        deviations: Float[Tensor, "run k given n"],
    ) -> tuple[Float[Tensor, "run k kept n"], Float[Tensor, "run k kept q1"]]:
        seen, rest = chol[..., given, :], chol[..., kept, :]
        shift = rest[..., :-1] @ (latent_gain(seen).mT @ deviations)
        # What the given features leave open of z has covariance (L Lᵀ)⁻¹: W becomes W L⁻ᵀ.
        factor = latent_factor(seen)
        loadings = torch.linalg.solve_triangular(factor, rest[..., :-1].mT, upper=False).mT
        return shift, torch.cat([loadings, rest[..., -1:]], -1)

    @override
    def completer(
        self, chol: Float[Tensor, "run k d q1"], means: Float[Tensor, "run k d"]
    ) -> Callable[[Incomplete], Completion]:
        offset = latent_gain(chol).mT @ means[..., None]
        return lambda part: LoadingsCompletion(chol, means, part, offset)

    @override
    def complete_noisy(
        self, chol: Float[Tensor, "run k d q1"], means: Float[Tensor, "run k d"], part: Noisy
    ) -> Completion:
        raise ValueError(
            "noise_covariances came with covariance_type='low_rank', expected one of full, tied, "
            "diag, spherical; fit one of those"
        )

    @override
    def attributes(
        self, chol: Float[Tensor, "run k d q1"], n_components: int, n_features: int
    ) -> dict[str, Tensor]:
        """Loadings and noise variances alone: matrices of 1280 features fill memory unasked."""
        return {"loadings_": chol[0, ..., :-1], "noise_variances_": chol[0, ..., -1]}

    @override
    def from_attributes(self, estimator: Any) -> Float[Tensor, "1 k d q1"]:
        if not hasattr(estimator, "noise_variances_"):
            raise ValueError(
                "covariance_type='low_rank' needs loadings_ and noise_variances_, and the fit was "
                "of another type; set covariance_type back, or fit again"
            )
        noise = torch.as_tensor(estimator.noise_variances_)[..., None]
        return torch.cat([torch.as_tensor(estimator.loadings_), noise], -1)[None]

    @override
    def distribution(
        self, chol: Float[Tensor, "run k d q1"], means: Float[Tensor, "run k d"]
    ) -> Distribution:
        return LowRankMultivariateNormal(means[0], chol[0, ..., :-1], chol[0, ..., -1])

    @override
    def dense(
        self, chol: Float[Tensor, "run k d q1"], n_components: int, n_features: int
    ) -> Float[Tensor, "run k d d"]:
        loadings = chol[..., :-1]
        return loadings @ loadings.mT + chol[..., -1].diag_embed()
