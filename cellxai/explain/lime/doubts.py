"""What speaks against a LIME explanation, measured from its own samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.explain.lime.designs import Design
from cellxai.explain.lime.samples import Samples
from cellxai.explain.lime.stopping import Stop
from cellxai.explain.lime.surrogate import is_constant
from cellxai.explain.status import SEVERITY, Status

TOLERATED_DRIFT = 0.05  # of the scores' spread; beyond, mixed precision is called degraded


@dataclass(frozen=True)
class Doubt:
    """One reason, and what it makes of the attribution.

    Args:
        status: ``ok`` for what is merely worth knowing.
        reason: In words.
    """

    status: Status
    reason: str


def worst(doubts: Sequence[Doubt]) -> Status:
    """The status of an attribution with these doubts."""
    return SEVERITY[max((SEVERITY.index(doubt.status) for doubt in doubts), default=0)]


def doubts_of(
    samples: Sequence[Samples],
    scores: Float[Tensor, "b n t"],
    design: Design,
    stop: Stop | None,
) -> tuple[Doubt, ...]:
    """All doubts that samples and scores raise, none where there is nothing to doubt."""
    found = [
        *doubts_of_scores(scores),
        doubt_of_one_superpixel(torch.tensor([one.masks.shape[1] == 1 for one in samples])),
        _too_few(samples, design) if stop is None else _unstable(samples, stop),
    ]
    return tuple(doubt for doubt in found if doubt is not None)


def doubts_of_scores(scores: Float[Tensor, "b n t"]) -> tuple[Doubt | None, Doubt | None]:
    """Whether some scores are no numbers, and whether some never change."""
    unknown = ~scores.isfinite().all(1).all(1)
    return (
        _doubt(unknown, "the score is not a finite number", all_of_them="unsupported"),
        _doubt(is_constant(scores).any(1) & ~unknown, "the score does not change"),
    )


def doubt_of_one_superpixel(single: Bool[Tensor, " b"]) -> Doubt | None:
    """Images that are one superpixel: a map of one value."""
    return _doubt(single, "one superpixel cannot be ranked")


def drift_doubt(
    mixed: Float[Tensor, "b m t"], exact: Float[Tensor, "b m t"], all_scores: Float[Tensor, "b n t"]
) -> Doubt:
    """How far mixed precision moves the scores, as a share of their standard deviation.

    Args:
        mixed: Some scores in mixed precision.
        exact: The same in full precision.
        all_scores: All of them in mixed precision: their spread is what a surrogate explains.
    """
    spread = all_scores.std(1, keepdim=True)
    drift = float(((mixed - exact).abs() / spread).nan_to_num(0, torch.inf).max())
    return Doubt(
        "ok" if drift <= TOLERATED_DRIFT else "degraded",
        f"bfloat16 moves the score by up to {drift:.1%} of its spread "
        f"({mixed.shape[1]} samples checked)",
    )


def _too_few(samples: Sequence[Samples], design: Design) -> Doubt | None:
    wanted = design.samples_per_superpixel
    few = [one for one in samples if one.n_used < wanted * one.masks.shape[1]]
    if not few:
        return None
    worst_off = min(few, key=lambda one: one.n_used / one.masks.shape[1])
    n, s = worst_off.n_used, worst_off.masks.shape[1]
    name = type(design).__name__
    return Doubt(
        "degraded", f"{n} samples for {s} superpixels, LIME with {name} needs about {wanted} each"
    )


def _unstable(samples: Sequence[Samples], stop: Stop) -> Doubt | None:
    reached = [float(one.stability.min()) for one in samples if one.stability is not None]
    if not reached or min(reached) >= stop.jaccard:
        return None
    most = max(one.n_used for one in samples)
    return Doubt(
        "degraded",
        f"after {most} samples the top {stop.top_k} are stable to {min(reached):.2f}, "
        f"{stop.jaccard} was asked for; raise n_samples",
    )


def _doubt(which: Bool[Tensor, " b"], what: str, all_of_them: Status = "degraded") -> Doubt | None:
    n, total = int(which.sum()), len(which)
    if n == 0:
        return None
    of = "" if total == 1 else f" ({n} of {total} images)"
    return Doubt(all_of_them if n == total else "degraded", what + of)
