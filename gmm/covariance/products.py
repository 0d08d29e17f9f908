"""Matrix products whose rows do not depend on how many rows there are."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

ROWS_AT_A_TIME = 12
# BLAS computes so many rows by one path and what is left over by another, with other rounding. A
# run would then depend on its batch-mates in the last bit, and EM stop an iteration apart. MKL
# takes 4 at a time on processors with AVX-512, and 12 with AVX2.


FEW_SAMPLES = 128  # with so few, rows of zeros cost a single run next to nothing


def pad_rows(
    a: Float[Tensor, "m d"], n_runs: int = 2, n_samples: int = 0
) -> Float[Tensor, "padded d"]:
    """The matrix with rows of zeros, so that none is left over.

    A single run has no batch-mates, and its products would take up to ten times as long. Of few
    samples it has the zeros all the same: it is then, to the last bit, what it is among others, and
    more starts never end lower.
    """
    needed = n_runs > 1 or n_samples <= FEW_SAMPLES
    left_over = -len(a) % ROWS_AT_A_TIME if needed else 0
    return F.pad(a, (0, 0, 0, left_over)) if left_over else a


def unpad_rows(rows: Float[Tensor, "padded m"], shape: torch.Size) -> Float[Tensor, "*run k m"]:
    """What :func:`pad_rows` has led to, without its zeros and in the shape of the runs."""
    n_rows = shape.numel()
    return (rows if rows.shape[0] == n_rows else rows[:n_rows]).unflatten(0, shape)


def multiply(a: Float[Tensor, "*run k n"], b: Float[Tensor, "n m"]) -> Float[Tensor, "*run k m"]:
    """A product of all rows of all runs with the same matrix."""
    rows = pad_rows(a.flatten(0, -2), a.shape[:-2].numel(), len(b))
    # BLAS takes up to three times as long where it has to turn the large factor round.
    product = rows @ b if b.stride(-1) == 1 else (b.T @ rows.T).T.contiguous()
    return unpad_rows(product, a.shape[:-1])
