"""What can be seen of a map alone: that it is no number, or that it ranks nothing."""

from dataclasses import replace

from jaxtyping import Bool
from torch import Tensor

from cellxai.explain.base import Attribution
from cellxai.explain.status import SEVERITY, Status


def with_verdict(attribution: Attribution) -> Attribution:
    """*Unsupported* where no map is a number, *degraded* where one ranks nothing.

    A status that is worse already stays; a reason is added to those that it has.
    """
    if attribution.status == "unsupported":
        return attribution
    numbers = attribution.values.isfinite().flatten(1).all(1)
    empty = numbers & ~attribution.values.flatten(1).any(1)
    found = _worse(attribution, ~numbers, "the map is not a finite number", "unsupported")
    return _worse(found, empty, "the map is 0 everywhere", "degraded")


def _worse(
    attribution: Attribution, images: Bool[Tensor, " b"], fault: str, if_all: Status
) -> Attribution:
    if not images.any():
        return attribution
    of = "" if len(images) == 1 else f" ({int(images.sum())} of {len(images)} images)"
    reasons = [attribution.reason, fault + of]
    found: Status = if_all if images.all() else "degraded"
    status = max(attribution.status, found, key=SEVERITY.index)
    return replace(attribution, status=status, reason="; ".join(filter(None, reasons)))
