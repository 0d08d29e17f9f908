"""How rare a surprise is among those of known images, exactly: ranks with a tail.

Everything here treats a new image and the known ones alike: p-values are computed in the set of all
of them. If they are exchangeable, the rank of the new one in that set is uniform, whatever is
computed, as long as it is the same for every order of the set. This is the whole proof of conformal
prediction (Vovk, Gammerman and Shafer 2005, ch. 2).
"""

from itertools import accumulate
from math import ceil, log

import torch
from jaxtyping import Float
from torch import Tensor

TAIL_SHARE = 0.1  # share of the set, the most surprising, that the tail is fitted to
STEADY_TAIL = 20  # images that a tail has at least, or half of the set where this is fewer
LEAST_TAIL = 3  # images needed for a tail
FARTHEST = 4.0  # median excesses: a farther image counts as if it were so far
FULL_MEAN = 16 / 15  # mean of an exponential variable over its mean when cut at 4 medians
DECIDING = 0.25  # share of the views whose log p-values decide, the smallest ones
LEAST_SCALE = 1e-9  # keeps a tail whose surprises are all equal from dividing by 0
MOST_SCALE = 1e300  # where most of a tail are no numbers
LEAST_SURPRISE = 1e-12  # has a logarithm
MEAN_WEIGHT = 1e-6  # of the mean over all views: it decides between equals alone
CELLS_AT_ONCE = 4_000_000  # images × known images × views in memory: 32 MB of float64


def tail_size(n: int) -> int:
    """How many of ``n`` images the tail is fitted to: a tenth of many, half of few.

    The width of a tail of four images, the tenth of 40, is wrong by half; it would be noise in all
    that lies beyond.
    """
    return min(max(ceil(TAIL_SHARE * n), min(ceil(n / 2), STEADY_TAIL), LEAST_TAIL), n)


def log_surprise(surprise: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Logarithm of surprises; what is not a number surprises most."""
    return surprise.nan_to_num(nan=torch.inf, posinf=torch.inf).clamp(min=LEAST_SURPRISE).log()


def tail_of(
    highest: Float[Tensor, "*any k"],
) -> tuple[Float[Tensor, "*any"], Float[Tensor, "*any"]]:
    """Where the tail begins and how wide it is, from the ``k`` highest log surprises, falling.

    Surprise is taken to follow Pareto's law beyond the edge: the width is the mean log excess over
    the lowest of them (Hill 1975, doi:10.1214/aos/1176343247). An excess beyond four times the
    median one counts as that, so that no image sets the width, however far it lies.
    """
    edge, k = highest[..., -1], highest.shape[-1]
    excess = (highest - edge[..., None]).nan_to_num(nan=0.0, posinf=torch.inf)
    cut = torch.minimum(excess, FARTHEST * excess.median(-1, keepdim=True).values)
    width = FULL_MEAN * cut.sum(-1) / max(1, k - 1)  # the edge itself has no excess
    return edge, width.clamp(LEAST_SCALE, MOST_SCALE)


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
    n, k = len(surprise), tail_size(len(surprise))
    log_p = torch.empty(surprise.shape, dtype=torch.float64)
    for view, column in enumerate(surprise.T):  # one at a time: there may be a million images
        logs = log_surprise(column).double().contiguous()
        edge, scale = tail_of(logs.topk(k).values)
        ranks = n - torch.searchsorted(logs.sort().values, logs)
        tail = tail_log_p(logs, edge, scale, k / n)
        log_p[:, view] = torch.where(logs > edge, tail, (ranks.double() / n).log())
    return log_p


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
    """What decides over all views: the mean of the smallest quarter of the log p-values.

    Of up to four views it is the smallest (Tippett 1931), of twelve the mean of three (Dudbridge
    and Koeleman 2003, doi:10.1002/gepi.10264): depths next to each other are surprised together,
    whereas what one view alone finds once in a while is chance more often. Beside it the mean over
    all views decides between equals: in each view one image has a given rank, so that images share
    their smallest one with others.
    """
    if log_p.ndim == 2 and log_p.numel() > CELLS_AT_ONCE:
        rows_at_once = max(1, CELLS_AT_ONCE // log_p.shape[1])
        if len(log_p) > rows_at_once:
            return torch.cat([joint_log_p(part) for part in log_p.split(rows_at_once)])
    n_views = log_p.shape[-1]
    sums = list(accumulate(log_p.sort(-1).values.unbind(-1)))  # in one order for any shape: ties
    n_deciding = ceil(DECIDING * n_views)
    return sums[n_deciding - 1] / n_deciding + MEAN_WEIGHT / n_views * sums[-1]


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

    The verdict's statistic is that of :func:`joint_log_p`. Its p-value is the rank of the new
    image's among those of the known ones, i / (n + 1). With n exchangeable known images and an
    exchangeable new one, P(p ≤ α) ≤ α for every α, exactly.
    """
    at_once = max(1, CELLS_AT_ONCE // max(1, known.numel()))
    p = [new.new_empty(0)]
    for chunk in new.split(at_once) if len(new) else ():
        of_known, of_new = joint_log_p_beside(known, chunk)
        as_rare = (of_known <= of_new[:, None]).sum(1)
        p.append((as_rare + 1).to(new) / (len(known) + 1))
    return torch.cat(p)
