"""How rare a surprise is among those of known images, exactly: ranks with a tail.

Everything here treats a new image and the known ones alike: p-values are computed in the set of all
of them. If they are exchangeable, the rank of the new one in that set is uniform, whatever is
computed, as long as it is the same for every order of the set. This is the whole proof of conformal
prediction (Vovk, Gammerman and Shafer 2005, ch. 2).
"""

from math import ceil, log

import torch
from jaxtyping import Float
from torch import Tensor

TAIL_SHARE = 0.1  # share of the set, the most surprising, that the tail is fitted to
LEAST_TAIL = 3  # images needed for a tail
LEAST_SCALE = 1e-9  # keeps a tail whose surprises are all equal from dividing by 0
LEAST_SURPRISE = 1e-12  # has a logarithm
MEAN_WEIGHT = 1e-6  # of the mean log p beside the smallest: it decides between equals alone
CELLS_AT_ONCE = 4_000_000  # images × known images × views in memory: 32 MB of float64


def tail_size(n: int) -> int:
    """How many of ``n`` images the tail is fitted to."""
    return min(max(ceil(TAIL_SHARE * n), LEAST_TAIL), n)


def log_surprise(surprise: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Logarithm of surprises; what is not a number surprises most."""
    return surprise.nan_to_num(nan=torch.inf, posinf=torch.inf).clamp(min=LEAST_SURPRISE).log()


def tail_of(
    highest: Float[Tensor, "*any k"],
) -> tuple[Float[Tensor, "*any"], Float[Tensor, "*any"]]:
    """Where the tail begins and how wide it is, from the ``k`` highest log surprises, falling.

    Surprise is taken to follow Pareto's law beyond the edge (Hill 1975, doi:10.1214/aos/1176343247,
    with the median excess in place of the mean, so that one far image does not set the width).
    """
    edge = highest[..., -1]
    excess = (highest - edge[..., None]).median(-1).values / log(2)
    return edge, excess.clamp(min=LEAST_SCALE)


def tail_log_p(
    logs: Float[Tensor, "..."],
    edge: Float[Tensor, "..."],
    scale: Float[Tensor, "..."],
    share: float,
) -> Float[Tensor, "..."]:
    """Logarithm of the probability of at least such a surprise, by the tail.

    Args:
        logs: Logarithms of surprises.
        edge: Where the tail begins.
        scale: How wide it is.
        share: Probability of the tail.
    """
    return log(share) - (logs - edge) / scale


def log_p_within(surprise: Float[Tensor, "n v"]) -> Float[Tensor, "n v"]:
    """Log p-value of each image in each view, in the set of these images.

    The share of images at least as surprising; beyond the tenth most surprising, the tail's.
    """
    logs = log_surprise(surprise).T.contiguous()
    n = logs.shape[1]
    edge, scale = tail_of(logs.topk(tail_size(n)).values)
    ranks = n - torch.searchsorted(logs.sort().values, logs.contiguous())
    tail = tail_log_p(logs, edge[:, None], scale[:, None], tail_size(n) / n)
    return torch.where(logs > edge[:, None], tail, (ranks.double() / n).log()).T


def log_p_beside(known: Float[Tensor, "n v"], new: Float[Tensor, "m v"]) -> Float[Tensor, "m v"]:
    """Log p-value of new images in each view, beside known ones: the tail is of these alone."""
    logs, others = log_surprise(known), log_surprise(new)
    n, k = len(known), tail_size(len(known))
    edge, scale = tail_of(logs.topk(k, 0).values.T)
    ordered = logs.T.contiguous().sort().values
    ranks = n + 1 - torch.searchsorted(ordered, others.T.contiguous()).T
    tail = tail_log_p(others, edge, scale, k / (n + 1))
    return torch.where(others > edge, tail, (ranks.double() / (n + 1)).log())


def joint_log_p(log_p: Float[Tensor, "*any v"]) -> Float[Tensor, "*any"]:
    """The smallest log p-value over views; among equals that with the smaller mean.

    In each view one image has a given rank, so that images share their smallest one with others.
    """
    return log_p.amin(-1) + MEAN_WEIGHT * log_p.mean(-1)


def joint_log_p_beside(
    known: Float[Tensor, "n v"], new: Float[Tensor, "m v"]
) -> tuple[Float[Tensor, "m n"], Float[Tensor, " m"]]:
    """:func:`joint_log_p` within ``m`` sets: all known images and a new one.

    Returns:
        That of the known images in each set, and that of the new image.
    """
    logs, others = log_surprise(known), log_surprise(new)
    n, k = len(known) + 1, tail_size(len(known) + 1)
    highest = logs.topk(min(k, len(known)), 0).values.T.expand(len(new), -1, -1)
    joined = torch.cat([highest, others[..., None]], -1).sort(-1, descending=True).values
    edge, scale = tail_of(joined[..., :k])
    ordered = logs.T.contiguous().sort().values
    as_high = len(known) - torch.searchsorted(ordered, logs.T.contiguous()).T
    ranks = as_high + (others[:, None] >= logs)
    tail = tail_log_p(logs, edge[:, None], scale[:, None], k / n)
    of_known = torch.where(logs > edge[:, None], tail, (ranks.double() / n).log())
    rank = n - torch.searchsorted(ordered, others.T.contiguous()).T
    of_new = torch.where(
        others > edge, tail_log_p(others, edge, scale, k / n), (rank.double() / n).log()
    )
    return joint_log_p(of_known), joint_log_p(of_new)


def conformal_p(known: Float[Tensor, "n v"], new: Float[Tensor, "m v"]) -> Float[Tensor, " m"]:
    """The p-value of each new image over all views.

    The verdict's statistic is the smallest p-value over views (Tippett 1931), and the mean log
    p-value decides between equals, which would count against each other. Its p-value is the rank of
    the new image's among those of the known ones, i / (n + 1). With n exchangeable known images and
    an exchangeable new one, P(p ≤ α) ≤ α for every α, exactly.
    """
    at_once = max(1, CELLS_AT_ONCE // max(1, known.numel()))
    p = [new.new_empty(0)]
    for chunk in new.split(at_once) if len(new) else ():
        of_known, of_new = joint_log_p_beside(known, chunk)
        as_rare = (of_known <= of_new[:, None]).sum(1)
        p.append((as_rare + 1).to(new) / (len(known) + 1))
    return torch.cat(p)
