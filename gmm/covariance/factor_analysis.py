"""Factor analysis, x = μ + W z + noise of variance ψ: pure functions for ``low_rank``.

Loadings W and noise variances ψ travel packed, ψ as the last column.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gmm.covariance.rounding import drop_rounding

LEAST_EIGENVALUE = 1e-12  # relative to the greatest, below which a direction is rounding


class LatentMoments(NamedTuple):
    """Means of products about the component means, made of sums by :func:`centre_moments`."""

    squares: Float[Tensor, "run k d"]
    products: Float[Tensor, "run k d p"]
    latent: Float[Tensor, "run k p p"]


def latent_factor(chol: Float[Tensor, "*run d q1"]) -> Float[Tensor, "*run q q"]:
    """Lower Cholesky factor of I + Wᵀ Ψ⁻¹ W, the precision of the latent variables given x."""
    whitened = chol[..., :-1] / chol[..., -1:].sqrt()
    eye = torch.eye(whitened.shape[-1], dtype=chol.dtype, device=chol.device)
    return torch.linalg.cholesky_ex(eye + whitened.mT @ whitened).L


def latent_gain(chol: Float[Tensor, "*run d q1"]) -> Float[Tensor, "*run d q"]:
    """Σ⁻¹ W, which turns a deviation into the mean of the latent variables given it."""
    weighted = chol[..., :-1] / chol[..., -1:]
    return torch.cholesky_solve(weighted.mT, latent_factor(chol)).mT


def random_directions(x: Float[Tensor, "d n"], count: int) -> Float[Tensor, "d count"]:
    """The same standard normal directions for every component, chunk and process."""
    source = torch.Generator().manual_seed(0)
    return torch.randn(len(x), count, dtype=torch.float64, generator=source).to(x)


def centre_moments(
    second: Float[Tensor, "run k m"],
    counts: Float[Tensor, "run k"],
    means: Float[Tensor, "run k d"],
) -> LatentMoments:
    """The sums of :meth:`LowRank.second_moments` as means about the component means."""
    d, count = means.shape[-1], counts[..., None]
    p = n_latent(second.shape[-1], d)
    squares, latent, products, outer = (second / count).split([d, p, d * p, p * p], -1)
    return LatentMoments(
        drop_rounding(squares - means.square(), squares),
        products.unflatten(-1, (p, d)).mT - means[..., :, None] * latent[..., None, :],
        outer.unflatten(-1, (p, p)) - latent[..., :, None] * latent[..., None, :],
    )


def n_latent(n_sums: int, n_features: int) -> int:
    """How many latent variables p have that many sums: d + p + d p + p²."""
    return next(p for p in range(n_sums) if n_features + p * (1 + n_features + p) >= n_sums)


def maximise_loadings(moments: LatentMoments, reg_covar: float) -> Float[Tensor, "run k d q1"]:
    """M-step of factor analysis: Ghahramani & Hinton (1996), about the new means.

    ``reg_covar`` is the least noise variance instead of being added, which maximises the bound
    under that constraint exactly: the bound never decreases, whatever ``reg_covar``.
    """
    factor = torch.linalg.cholesky_ex(moments.latent).L
    loadings = torch.cholesky_solve(moments.products.mT, factor).mT
    explained = (loadings * moments.products).sum(-1)
    noise = (moments.squares - explained).clamp(min=reg_covar)
    return torch.cat([loadings, noise[..., None]], -1)


def start_loadings(
    moments: LatentMoments, rank: int, reg_covar: float
) -> Float[Tensor, "run k d q1"]:
    """Loadings along the main axes of each component, from one pass over the samples.

    Nyström's approximation of the covariances from their products with random directions, shifted
    so that even a component of one sample has some: Tropp et al. (2017), arXiv:1706.05736.
    """
    directions = random_directions(moments.squares[0, 0, :, None], moments.products.shape[-1])
    least = LEAST_EIGENVALUE * moments.squares.mean(-1)[..., None, None]
    shift = least.clamp(min=reg_covar)
    products = moments.products + shift * directions
    values, vectors = eigendecompose(directions.mT @ products)
    cut = LEAST_EIGENVALUE * values[..., -1:].abs()
    root = torch.where(values > cut, values.rsqrt(), 0)
    axes = products @ (vectors * root[..., None, :])
    loadings = axes @ eigendecompose(axes.mT @ axes)[1][..., -rank:]
    noise = (moments.squares - loadings.square().sum(-1)).clamp(min=reg_covar)
    return torch.cat([loadings, noise[..., None]], -1)


def eigendecompose(
    matrix: Float[Tensor, "*run p p"],
) -> tuple[Float[Tensor, "*run p"], Float[Tensor, "*run p p"]]:
    """Eigenvalues, ascending, and eigenvectors; numbers without meaning where one is not finite."""
    # eigh raises at NaN, and one overflowing run must not raise for its siblings.
    values, vectors = torch.linalg.eigh(matrix.nan_to_num())
    return values, vectors
