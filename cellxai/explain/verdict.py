"""What can be seen of a map alone: that it is not a finite number, or that it ranks nothing."""

from collections.abc import Sequence
from dataclasses import replace

from cellxai.explain.base import Attribution
from cellxai.explain.status import Doubt, doubt_of_images, worst_status


def with_verdict(attribution: Attribution) -> Attribution:
    """*Unsupported* where no map is finite, *degraded* where a map ranks nothing.

    A status that is worse already stays; a reason is added to those that it has.
    """
    if attribution.status == "unsupported":
        return attribution
    finite = attribution.values.isfinite().flatten(1).all(1)
    empty = finite & ~attribution.values.flatten(1).any(1)
    doubts = [
        doubt_of_images(~finite, "the map is not a finite number", if_all="unsupported"),
        doubt_of_images(empty, "the map is 0 everywhere"),
    ]
    return with_doubts(attribution, [doubt for doubt in doubts if doubt is not None])


def with_doubts(attribution: Attribution, doubts: Sequence[Doubt]) -> Attribution:
    """With the worst status of all doubts and their reasons, added to what was known before."""
    status = worst_status([attribution.status, *(doubt.status for doubt in doubts)])
    reasons = [attribution.reason, *(doubt.reason for doubt in doubts)]
    return replace(attribution, status=status, reason="; ".join(filter(None, reasons)))
