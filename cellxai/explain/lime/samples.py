"""LIME's samples: drawn, evaluated once each, and no more of them than the ranking needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.lime.designs import Design
from cellxai.explain.lime.stopping import Stop, ranking_stability
from cellxai.explain.lime.surrogate import fit, locality

Evaluate = Callable[[Int64[Tensor, " n"], Bool[Tensor, "n s"]], Float[Tensor, "n t"]]
"""Owners and masks of perturbed images to their scores."""


@dataclass(frozen=True)
class Samples:
    """Perturbations of one image.

    Args:
        masks: Superpixels shown; the first row shows all.
        weights: What each counts in the surrogate.
        first: For each row, the first row that equals it: only those are evaluated.
        scores: Of each row and class; NaN where not evaluated.
        n_used: Rows that are evaluated, from the first.
        stability: Of the ranking of each class; None without an adaptive stop.
    """

    masks: Bool[Tensor, "n s"]
    weights: Float[Tensor, " n"]
    first: Int64[Tensor, " n"]
    scores: Float[Tensor, "n t"]
    n_used: int = 0
    stability: Float[Tensor, " t"] | None = None


def draw(
    design: Design,
    n_superpixels: int,
    n_samples: int,
    n_classes: int,
    kernel_width: float,
    seed: int,
    device: torch.device,
) -> Samples:
    """The perturbations of an image, not evaluated yet."""
    kernel = locality(n_superpixels, kernel_width)
    masks = design.masks(n_samples, kernel, seed)
    weights = kernel[masks.sum(1)] if design.weighted else torch.ones(len(masks)).double()
    scores = torch.full((len(masks), n_classes), torch.nan, dtype=torch.float64)
    first = first_occurrences(masks)
    return Samples(masks.to(device), weights.to(device), first.to(device), scores.to(device))


def first_occurrences(masks: Bool[Tensor, "n s"]) -> Int64[Tensor, " n"]:
    """For each row, the place of the first row that equals it."""
    rows = torch.arange(len(masks), device=masks.device)
    distinct, which = masks.unique(dim=0, return_inverse=True)
    first = rows.new_full((len(distinct),), len(masks))
    return first.scatter_reduce(0, which, rows, "amin")[which]


def collect(
    samples: Sequence[Samples], evaluate: Evaluate, design: Design, stop: Stop | None, seed: int
) -> list[Samples]:
    """The samples with their scores; with a stop, round by round while an image needs more."""
    done, ended = list(samples), [False] * len(samples)
    while not all(ended):
        pending = [i for i, over in enumerate(ended) if not over]
        upto = [_next_look(done[i], design, stop) for i in pending]
        for i, one in zip(pending, _evaluated(done, pending, upto, evaluate), strict=True):
            done[i] = replace(one, stability=_stability(one, design, stop, seed)) if stop else one
            ended[i] = done[i].n_used == len(one.masks) or _is_stable(done[i], stop)
    return done


def padded(
    samples: Sequence[Samples],
) -> tuple[Bool[Tensor, "b n s"], Float[Tensor, "b n t"], Float[Tensor, "b n"]]:
    """Masks, scores and weights of all images; an image with fewer repeats its first, at weight 0.

    Superpixels that an image does not have are never shown.
    """
    n = max(one.n_used for one in samples)
    s = max(one.masks.shape[1] for one in samples)
    row = torch.arange(n, device=samples[0].masks.device)
    rows = [torch.where(row < one.n_used, row, 0) for one in samples]
    pairs = list(zip(samples, rows, strict=True))
    return (
        torch.stack([_widened(one.masks[r], s) for one, r in pairs]),
        torch.stack([one.scores[r] for one, r in pairs]),
        torch.stack([one.weights[r] * (row < one.n_used) for one, r in pairs]),
    )


def _next_look(one: Samples, design: Design, stop: Stop | None) -> int:
    """Up to which row to evaluate: one round further, or at once to where a stop may begin."""
    n_samples, n_superpixels = one.masks.shape
    if stop is None:
        return n_samples
    size = design.round_size(n_superpixels)
    units = 2 * n_superpixels * (2 if design.paired else 1)
    rounds = max(-(-units // size), (one.n_used - 1) // size + 1)
    return min(1 + rounds * size, n_samples)


def _evaluated(
    samples: Sequence[Samples], pending: Sequence[int], upto: Sequence[int], evaluate: Evaluate
) -> list[Samples]:
    """Evaluates the next rows of several images in common batches."""
    rows = [_new_rows(samples[i], end) for i, end in zip(pending, upto, strict=True)]
    width = max(samples[i].masks.shape[1] for i in pending)
    masks = [_widened(samples[i].masks[r], width) for i, r in zip(pending, rows, strict=True)]
    owners = [torch.full_like(r, i) for i, r in zip(pending, rows, strict=True)]
    found = evaluate(torch.cat(owners), torch.cat(masks)).split([len(r) for r in rows])
    return [
        _with_scores(samples[i], r, scores, end)
        for i, r, scores, end in zip(pending, rows, found, upto, strict=True)
    ]


def _new_rows(one: Samples, upto: int) -> Int64[Tensor, " m"]:
    rows = torch.arange(one.n_used, upto, device=one.masks.device)
    return rows[one.first[rows] == rows]


def _widened(masks: Bool[Tensor, "n s"], width: int) -> Bool[Tensor, "n w"]:
    return F.pad(masks, (0, width - masks.shape[1]))


def _with_scores(
    one: Samples, rows: Int[Tensor, " m"], found: Float[Tensor, "m t"], upto: int
) -> Samples:
    scores = one.scores.index_copy(0, rows, found)
    return replace(one, scores=scores[one.first], n_used=upto)


def _stability(one: Samples, design: Design, stop: Stop, seed: int) -> Float[Tensor, " t"]:
    """Of the ranking by the samples so far; 0 where the model gave no number."""
    masks, scores, weights = padded([one])
    if not scores.isfinite().all():
        return torch.zeros_like(scores[0, 0])
    everything = torch.ones_like(masks[:, :1]).expand(-1, scores.shape[-1], -1)
    surrogate = fit(masks, scores, weights, everything)
    generator = torch.Generator().manual_seed(seed)
    return ranking_stability(
        masks, scores, weights, surrogate, design.paired, stop.top_k, generator
    )[0]


def _is_stable(one: Samples, stop: Stop | None) -> bool:
    return (
        stop is not None
        and one.stability is not None
        and bool((one.stability >= stop.jaccard).all())
    )
