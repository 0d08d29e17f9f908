"""Correlations along the last axis of a batch, where NaN marks what an image does not have."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def pearson(x: Float[Tensor, "b n"], y: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """Pearson's r over the numbers that are known in both; NaN where either is constant there."""
    known = ~(x.isnan() | y.isnan())
    x, y = (values.double().where(known, torch.nan) for values in (x, y))
    # Not by a spread of 0: the mean of equal numbers can differ from them by rounding.
    constant = _is_constant(x) | _is_constant(y)
    x, y = ((v - v.nanmean(1, keepdim=True)).nan_to_num() for v in (x, y))
    r = (x * y).sum(1) / (x.square().sum(1) * y.square().sum(1)).sqrt()
    return r.clamp(-1, 1).masked_fill(constant, torch.nan)


def spearman(x: Float[Tensor, "b n"], y: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """Spearman's rank correlation, ties at their mean rank; NaN as in :func:`pearson`."""
    unknown = x.isnan() | y.isnan()
    return pearson(*(midranks(v.masked_fill(unknown, torch.nan)) for v in (x, y)))


def midranks(values: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Ranks from 1, ties at their mean rank, NaN where the value is NaN."""
    comparable = values.masked_fill(values.isnan(), torch.inf).contiguous()
    ascending = comparable.sort(dim=1).values
    below = torch.searchsorted(ascending, comparable)
    not_above = torch.searchsorted(ascending, comparable, right=True)
    return ((below + not_above + 1).double() / 2).masked_fill(values.isnan(), torch.nan)


def _is_constant(values: Float[Tensor, "b n"]) -> Bool[Tensor, " b"]:
    low = values.nan_to_num(torch.inf).amin(1)
    return ~(low < values.nan_to_num(-torch.inf).amax(1))
