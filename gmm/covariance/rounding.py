"""Differences of sums that are nothing but rounding."""

import torch
from jaxtyping import Float
from torch import Tensor

ROUNDING = 64 * torch.finfo(torch.float64).eps  # of a sum of many products, relative to it


def positive_rest(
    minuend: Float[Tensor, "*any"], subtrahend: Float[Tensor, "*any"]
) -> Float[Tensor, "*any"]:
    """The difference where it exceeds its rounding error, otherwise 0; it is never below 0.

    As for :func:`drop_rounding`, in half the operations.
    """
    difference = minuend - subtrahend
    return difference * (difference > ROUNDING * minuend)


def drop_rounding(
    difference: Float[Tensor, "run ..."], minuend: Float[Tensor, "run ..."]
) -> Float[Tensor, "run ..."]:
    """The difference where it exceeds its rounding error, otherwise 0.

    Equal samples away from the reference would otherwise have a variance of pure rounding, by which
    a collapsed run would win.
    """
    # Not where, which would make a tensor of the 0 first.
    return difference.masked_fill(difference.abs() <= ROUNDING * minuend.abs(), 0.0)
