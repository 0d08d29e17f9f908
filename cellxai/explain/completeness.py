"""Whether a map adds up to what it promises; what is said where it does not."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Model

TOLERATED_SHARE = 0.01  # of the change of the score
NEGLIGIBLE = 1e-3  # in units of the score: smaller changes are lost in float32's rounding


def judge_completeness(
    attribution: Attribution,
    change: Float[Tensor, " b"],
    tolerated: float = TOLERATED_SHARE,
    law: str = "completeness",
    elsewhere: Float[Tensor, " b"] | None = None,
) -> Attribution:
    """The attribution with its gap, *degraded* where that is more than a share of ``change``.

    Args:
        attribution: Its map should sum to ``change``.
        change: Change of the target's score.
        tolerated: Share of ``change`` that may be missed.
        law: Name of the law that is broken then, for the reason.
        elsewhere: What of ``change`` is known to be outside of the map; None for nothing.
    """
    elsewhere = torch.zeros_like(change) if elsewhere is None else elsewhere
    gap = attribution.values.sum((1, 2)) + elsewhere - change
    share = relative_gap(attribution.values, change, elsewhere).max().item()
    judged = replace(attribution, completeness_gap=gap)
    if share <= tolerated or math.isnan(share):  # a NaN map has a verdict of its own
        return judged
    missed = f"{share:.1%} of" if share < 10 else f"{share:.0e} times"  # unstable rules explode
    reason = f"{law} is missed by {missed} the score, more than {tolerated:.0%}"
    return replace(judged, status="degraded", reason=reason)


def relative_gap(
    values: Float[Tensor, "b h w"],
    change: Float[Tensor, " b"],
    elsewhere: Float[Tensor, " b"] | float = 0.0,
) -> Float[Tensor, " b"]:
    """|Σ map + elsewhere − change| per |change|, or per ``NEGLIGIBLE`` where that is more."""
    gap = values.sum((1, 2)) + elsewhere - change
    return gap.abs() / change.abs().clamp(min=NEGLIGIBLE)


@torch.no_grad()
def change_of_score(
    model: Model,
    images: Float[Tensor, "b c h w"],
    baselines: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    batch_size: int,
) -> Float[Tensor, " b"]:
    """Target score of each image minus that of its baseline."""
    at_images, at_baselines = (
        target_scores(model, x, targets, batch_size) for x in (images, baselines)
    )
    return at_images - at_baselines


@torch.no_grad()
def target_scores(
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    batch_size: int,
) -> Float[Tensor, " b"]:
    """Score of each image's target."""
    # Copies: a model may write into its images.
    scores = torch.cat([model(batch.clone()) for batch in images.split(batch_size)])
    return scores.gather(1, targets[:, None])[:, 0].to(images.dtype)
