"""Cholesky factors and inverses of triangles by halves, where most is done by matrix products."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

SMALLEST_HALF = 64  # of a triangle
MOST_BY_HALVES = 512  # features of a matrix: LAPACK's own blocks are as fast for larger ones


def factorise_lower(
    matrices: Float[Tensor, "*run d d"],
) -> tuple[Float[Tensor, "*run d d"], Int[Tensor, "*run"]]:
    """Lower Cholesky factors, and numbers above 0 for matrices that are not positive definite."""
    d = matrices.shape[-1]
    half = d // 2
    if half < SMALLEST_HALF or d > MOST_BY_HALVES:
        # Not cholesky: one matrix that fails must not raise for the others.
        return torch.linalg.cholesky_ex(matrices)
    first, failed = factorise_lower(matrices[..., :half, :half])
    below = torch.linalg.solve_triangular(first, matrices[..., half:, :half].mT, upper=False).mT
    last, failed_too = factorise_lower(matrices[..., half:, half:] - below @ below.mT)
    # Columns first, as LAPACK writes it.
    factor = torch.zeros_like(matrices, memory_format=torch.contiguous_format).mT
    factor[..., :half, :half], factor[..., half:, half:] = first, last
    factor[..., half:, :half] = below
    return factor, failed + failed_too


def invert_triangular(
    factor: Float[Tensor, "*run d d"], *, upper: bool
) -> Float[Tensor, "*run d d"]:
    """The inverse of a triangular matrix."""
    if upper:
        return invert_triangular(factor.mT, upper=False).mT
    half = factor.shape[-1] // 2
    if half < SMALLEST_HALF:
        eye = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
        return torch.linalg.solve_triangular(factor, eye, upper=False)
    # By halves, which is a third of the operations of solving for every column of a unit matrix.
    first = invert_triangular(factor[..., :half, :half], upper=False)
    last = invert_triangular(factor[..., half:, half:], upper=False)
    inverse = torch.zeros_like(factor)
    inverse[..., :half, :half], inverse[..., half:, half:] = first, last
    inverse[..., half:, :half] = -(last @ (factor[..., half:, :half] @ first))
    return inverse
