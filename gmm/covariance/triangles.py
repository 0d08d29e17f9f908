"""Triangles of matrices in blocks: squared distances, and sums of products of two features."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gmm.covariance.cost import blocks, is_small
from gmm.covariance.products import pad_rows

ROWS_AT_ONCE = 64  # components of all runs: the working set must not grow with the batch


@dataclass(frozen=True)
class Block:
    """Some rows of Uᵀ of several components.

    Args:
        rows: The rows as far as they are not 0, those of all components one after the other.
        shift: The same rows of -Uᵀμ.
        shape: Number of rows, and of components.
    """

    rows: Float[Tensor, "padded end"]
    shift: Float[Tensor, "padded 1"]
    shape: tuple[int, int]


def distances(
    chol: Float[Tensor, "run kq d d"], means: Float[Tensor, "run k d"], n_samples: int
) -> Callable[[Float[Tensor, "d n"]], Float[Tensor, "run k n"]]:
    """Squared distances ‖Uᵀx - Uᵀμ‖² of many chunks, as a function of a chunk.

    In units of a standard deviation, an element of the difference has the rounding error of its
    terms, which grows with the distance of μ from the reference, and not with its square as that of
    the form multiplied out.

    Args:
        chol: Upper triangular U in the precision to compute in.
        means: Means, in float64: Uᵀμ is rounded once, and μ never.
        n_samples: Samples in all chunks.
    """
    run, k, d = means.shape
    factors = chol.expand(run, k, d, d).flatten(0, 1)
    shifts = -(factors.double().mT @ means.flatten(0, 1)[..., None]).to(chol.dtype)
    n_vectors = n_samples * run * k
    if is_small(d, n_vectors):
        sum_rows = whole_triangles(factors, shifts)
    else:
        sum_rows = triangles_in_blocks(factors, shifts[..., 0], blocks(d, n_vectors, chol.device))
    return lambda x: sum_rows(x).unflatten(0, (run, k))


SumRows = Callable[[Float[Tensor, "d n"]], Float[Tensor, "row n"]]
"""Samples to squared distances from all components of all runs."""


def whole_triangles(factors: Float[Tensor, "row d d"], shifts: Float[Tensor, "row d 1"]) -> SumRows:
    """For little work, to which another layout of the factors would add more than it saves."""

    def evaluate(x: Tensor) -> Tensor:
        sums = [
            torch.baddbmm(shift, factor.mT, x.expand(len(factor), *x.shape)).square().sum(1)
            for factor, shift in zip(
                factors.split(ROWS_AT_ONCE), shifts.split(ROWS_AT_ONCE), strict=True
            )
        ]
        return sums[0] if len(sums) == 1 else torch.cat(sums)

    return evaluate


def triangles_in_blocks(
    factors: Float[Tensor, "row d d"],
    shifts: Float[Tensor, "row d"],
    parts: list[tuple[int, int]],
) -> SumRows:
    """For much work: the rows of one block of all components are one matrix product."""
    groups = [
        [cut_block(factor, shift, *part) for part in parts]
        for factor, shift in zip(
            factors.split(ROWS_AT_ONCE), shifts.split(ROWS_AT_ONCE), strict=True
        )
    ]

    def evaluate(x: Tensor) -> Tensor:
        sums = [sum_squares(group, x) for group in groups]
        return sums[0] if len(sums) == 1 else torch.cat(sums)

    return evaluate


def cut_block(
    factors: Float[Tensor, "row d d"], shifts: Float[Tensor, "row d"], first: int, end: int
) -> Block:
    """The rows ``first`` to ``end`` of some components."""
    rows = factors[:, :end, first:end].permute(2, 0, 1).reshape(-1, end)
    shift = shifts[:, first:end].T.reshape(-1, 1)
    return Block(pad_rows(rows), pad_rows(shift), (end - first, len(factors)))


def sum_squares(blocks: list[Block], x: Float[Tensor, "d n"]) -> Float[Tensor, "row n"]:
    """Squared distances of some components, from the blocks of their factors."""
    total = None
    for block in blocks:
        whitened = torch.addmm(block.shift, block.rows, x[: block.rows.shape[1]])
        # In place, since memory that is new is slow; autograd needs what was there.
        squares = whitened.square() if whitened.requires_grad else whitened.square_()
        part = squares[: math.prod(block.shape)].unflatten(0, block.shape).sum(0)
        total = part if total is None else total + part
    assert total is not None
    return total


def square(factor: Float[Tensor, "*run d d"], *, upper: bool) -> Float[Tensor, "*run d d"]:
    """A triangular matrix times its transpose, without most of the products with 0."""
    d = factor.shape[-1]
    if is_small(d, d):
        return factor @ factor.mT
    parts = blocks(d, d * factor.shape[:-2].numel(), factor.device)
    product = torch.zeros_like(factor)
    for first, end in parts:
        rows = slice(0, end) if upper else slice(first, d)
        columns = factor[..., rows, first:end]
        product[..., rows, rows] += columns @ columns.mT
    return product


def weighted_products(
    x: Float[Tensor, "d n"], shares: Float[Tensor, "row n"]
) -> Float[Tensor, "row d d"]:
    """Sums over samples of x xᵀ, weighted by each row of shares."""
    d, n = x.shape
    if is_small(d, n * len(shares)):
        # Not one product, in which the rows of a run would depend on how many there are.
        return torch.bmm(x * shares[:, None], x.T.expand(len(shares), -1, -1))
    products = x.new_empty(len(shares), d, d)
    parts = blocks(d, n * len(shares), x.device)
    for some, result in zip(shares.split(ROWS_AT_ONCE), products.split(ROWS_AT_ONCE), strict=True):
        for first, end in parts:
            weighted = (x[first:end, None] * some).flatten(0, 1)
            block = (x[:end] @ weighted.T).unflatten(1, (end - first, len(some)))
            result[:, first:end, :end] = block.permute(2, 1, 0)
            result[:, :end, first:end] = block.permute(2, 0, 1)
    return products
