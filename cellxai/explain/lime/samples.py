"""LIME's samples: drawn, each evaluated once, and no more of them than the ranking needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.lime.designs import Design
from cellxai.explain.lime.stopping import Stop, ranking_stability
from cellxai.explain.lime.surrogate import Evaluations, fit_surrogate, locality_weights

Evaluate = Callable[[Int64[Tensor, " n"], Bool[Tensor, "n s"]], Float[Tensor, "n t"]]
"""Owners and masks of perturbed images to their scores."""


@dataclass(frozen=True)
class Samples:
    """Perturbations of one image.

    Args:
        masks: Superpixels shown; the first row shows all.
        weights: What each row counts in the surrogate.
        first: For each row, the first row that equals it: only those are evaluated.
        scores: Score of each row and class; NaN where not evaluated.
        n_used: How many rows are evaluated, from the first on.
        stability: Stability of each class's ranking; None without an adaptive stop.
    """

    masks: Bool[Tensor, "n s"]
    weights: Float[Tensor, " n"]
    first: Int64[Tensor, " n"]
    scores: Float[Tensor, "n t"]
    n_used: int = 0
    stability: Float[Tensor, " t"] | None = None

    @property
    def n_superpixels(self) -> int:
        """How many superpixels the image has."""
        return self.masks.shape[1]


def draw_samples(
    design: Design,
    n_superpixels: int,
    n_samples: int,
    n_classes: int,
    kernel_width: float,
    seed: int,
    device: torch.device,
) -> Samples:
    """The perturbations of an image, not evaluated yet."""
    kernel = locality_weights(n_superpixels, kernel_width)
    masks = design.masks(n_samples, kernel, seed)
    weights = kernel[masks.sum(1)] if design.weighted else torch.ones(len(masks)).double()
    scores = torch.full((len(masks), n_classes), torch.nan, dtype=torch.float64)
    first = first_occurrences(masks)
    return Samples(masks.to(device), weights.to(device), first.to(device), scores.to(device))


def first_occurrences(masks: Bool[Tensor, "n s"]) -> Int64[Tensor, " n"]:
    """For each row, the index of the first row that equals it."""
    rows = torch.arange(len(masks), device=masks.device)
    distinct, which = masks.unique(dim=0, return_inverse=True)
    first = rows.new_full((len(distinct),), len(masks))
    return first.scatter_reduce(0, which, rows, "amin")[which]


def evaluate_samples(
    per_image: Sequence[Samples], evaluate: Evaluate, design: Design, stop: Stop | None, seed: int
) -> list[Samples]:
    """The samples with their scores; with a stop, round by round while an image needs more."""
    done, ended = list(per_image), [False] * len(per_image)
    while not all(ended):
        pending = [i for i, has_ended in enumerate(ended) if not has_ended]
        ends = [_next_end(done[i], design, stop) for i in pending]
        for i, samples in zip(pending, _evaluate_up_to(ends, done, pending, evaluate), strict=True):
            done[i] = _with_stability(samples, design, stop, seed) if stop else samples
            ended[i] = samples.n_used == len(samples.masks) or _is_stable(done[i], stop)
    return done


def pad_samples(per_image: Sequence[Samples]) -> Evaluations:
    """The used samples of all images; an image with fewer repeats its first, at weight 0.

    Superpixels that an image does not have are never shown.
    """
    n = max(samples.n_used for samples in per_image)
    width = max(samples.n_superpixels for samples in per_image)
    row = torch.arange(n, device=per_image[0].masks.device)
    rows = [torch.where(row < samples.n_used, row, 0) for samples in per_image]
    pairs = list(zip(per_image, rows, strict=True))
    return Evaluations(
        torch.stack([_widen(samples.masks[r], width) for samples, r in pairs]),
        torch.stack([samples.scores[r] for samples, r in pairs]),
        torch.stack([samples.weights[r] * (row < samples.n_used) for samples, r in pairs]),
    )


def _next_end(samples: Samples, design: Design, stop: Stop | None) -> int:
    """Up to which row to evaluate: one round further, or at once to where a stop may begin."""
    n_samples, n_superpixels = samples.masks.shape
    if stop is None:
        return n_samples
    size = design.round_size(n_superpixels)
    n_least = 2 * n_superpixels * (2 if design.paired else 1)
    rounds = max(-(-n_least // size), (samples.n_used - 1) // size + 1)
    return min(1 + rounds * size, n_samples)


def _evaluate_up_to(
    ends: Sequence[int], per_image: Sequence[Samples], pending: Sequence[int], evaluate: Evaluate
) -> list[Samples]:
    """Evaluates the next rows of the pending images in common batches."""
    rows = [_new_rows(per_image[i], end) for i, end in zip(pending, ends, strict=True)]
    width = max(per_image[i].n_superpixels for i in pending)
    masks = [_widen(per_image[i].masks[r], width) for i, r in zip(pending, rows, strict=True)]
    owners = [torch.full_like(r, i) for i, r in zip(pending, rows, strict=True)]
    scores = evaluate(torch.cat(owners), torch.cat(masks)).split([len(r) for r in rows])
    return [
        _with_scores(per_image[i], r, own_scores, end)
        for i, r, own_scores, end in zip(pending, rows, scores, ends, strict=True)
    ]


def _new_rows(samples: Samples, end: int) -> Int64[Tensor, " m"]:
    rows = torch.arange(samples.n_used, end, device=samples.masks.device)
    return rows[samples.first[rows] == rows]


def _widen(masks: Bool[Tensor, "n s"], width: int) -> Bool[Tensor, "n w"]:
    return F.pad(masks, (0, width - masks.shape[1]))


def _with_scores(
    samples: Samples, rows: Int[Tensor, " m"], scores: Float[Tensor, "m t"], end: int
) -> Samples:
    all_scores = samples.scores.index_copy(0, rows, scores)
    return replace(samples, scores=all_scores[samples.first], n_used=end)


def _with_stability(samples: Samples, design: Design, stop: Stop, seed: int) -> Samples:
    """With the stability of the ranking so far; 0 where a score is not finite."""
    evaluations = pad_samples([samples])
    masks, scores = evaluations.masks, evaluations.scores
    if not scores.isfinite().all():
        return replace(samples, stability=torch.zeros_like(scores[0, 0]))
    everything = torch.ones_like(masks[:, :1]).expand(-1, scores.shape[-1], -1)
    surrogate = fit_surrogate(evaluations, everything)
    generator = torch.Generator().manual_seed(seed)
    stability = ranking_stability(evaluations, surrogate, design.paired, stop.top_k, generator)
    return replace(samples, stability=stability[0])


def _is_stable(samples: Samples, stop: Stop | None) -> bool:
    return (
        stop is not None
        and samples.stability is not None
        and bool((samples.stability >= stop.jaccard).all())
    )
