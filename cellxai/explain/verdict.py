"""What can be seen of a map alone: that it is not a finite number, or that it ranks nothing."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.status import Doubt, doubt_of_images, worst_status

UNKNOWN_PIXELS = "the image has pixels that are not finite numbers"
UNKNOWN_SCORE = "the score is not a finite number"


def with_verdict(attribution: Attribution, rounding: float = 0.0) -> Attribution:
    """*Unsupported* where no map is finite, *degraded* where a map ranks nothing.

    A status that is worse already stays; a reason is added to those that it has.

    Args:
        attribution: What an explainer answered.
        rounding: By how much the explained score may be wrong: evidence below it is none.
    """
    if attribution.status == "unsupported":
        return attribution
    largest = attribution.values.abs().flatten(1).amax(1)  # NaN where any is
    finite, empty = largest.isfinite(), largest == 0
    if (finite & (largest.float() > rounding)).all():
        return attribution
    lost = finite & ~empty & (largest.float() <= rounding)
    doubts = [
        doubt_of_images(~finite, "the map is not a finite number", if_all="unsupported"),
        doubt_of_images(empty, "the map is 0 everywhere"),
        doubt_of_images(lost, "all evidence is below the rounding of the score"),
    ]
    return with_doubts(attribution, [doubt for doubt in doubts if doubt is not None])


def without_unknown_pixels(attribution: Attribution, known: Bool[Tensor, " b"]) -> Attribution:
    """No map of images with pixels that are no numbers: what a gradient says there is chance.

    Args:
        attribution: Of the images.
        known: Whether all pixels of each are numbers.
    """
    return _without(attribution, ~known, UNKNOWN_PIXELS)


def without_unknown_scores(
    attribution: Attribution,
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    context: Context,
) -> Attribution:
    """No map of images whose own score is no number: a gradient may be finite all the same."""
    with torch.no_grad():
        scores = torch.cat([model(batch.clone()) for batch in images.split(context.batch_size)])
    unknown = ~scores.gather(1, targets[:, None])[:, 0].isfinite()
    return _without(attribution, unknown, UNKNOWN_SCORE)


def _without(attribution: Attribution, unknown: Bool[Tensor, " b"], fault: str) -> Attribution:
    doubt = doubt_of_images(unknown, fault, if_all="unsupported")
    if doubt is None or fault in attribution.reason:
        return attribution
    values = attribution.values.masked_fill(unknown[:, None, None], torch.nan)
    planes = attribution.plane_values
    if planes is not None:
        planes = planes.masked_fill(unknown[:, None, None, None], torch.nan)
    return with_doubts(replace(attribution, values=values, plane_values=planes), [doubt])


def with_doubts(attribution: Attribution, doubts: Sequence[Doubt]) -> Attribution:
    """With the worst status of all doubts and their reasons, added to what was known before."""
    status = worst_status([attribution.status, *(doubt.status for doubt in doubts)])
    reasons = [attribution.reason, *(doubt.reason for doubt in doubts)]
    return replace(attribution, status=status, reason="; ".join(filter(None, reasons)))
