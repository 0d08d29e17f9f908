"""What an attribution is worth on the model at hand, and the doubts that lower it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Bool
from torch import Tensor

Status = Literal["ok", "degraded", "unsupported", "failed"]
"""``failed``: the explainer, or the metric, stopped with an error; nothing is known of the map."""

SEVERITY: tuple[Status, ...] = ("ok", "degraded", "unsupported", "failed")  # from best to worst


@dataclass(frozen=True)
class Doubt:
    """One thing that speaks against an attribution.

    Args:
        status: What the attribution is worth with it; ``ok`` for what is merely worth knowing.
        reason: Why, in words.
    """

    status: Status
    reason: str


def doubt_of_images(
    affected: Bool[Tensor, " b"], fault: str, if_all: Status = "degraded"
) -> Doubt | None:
    """The doubt that a fault of some images of a batch raises; None where no image has it.

    Args:
        affected: Which images have the fault.
        fault: What is wrong with them.
        if_all: Status where all images have it; with fewer the attribution is *degraded*.
    """
    n_affected, n_images = int(affected.sum()), len(affected)
    if n_affected == 0:
        return None
    share = "" if n_images == 1 else f" ({n_affected} of {n_images} images)"
    return Doubt(if_all if n_affected == n_images else "degraded", fault + share)


def worst_status(statuses: Sequence[Status]) -> Status:
    """The most severe of several statuses; ``ok`` where there is none."""
    known: list[Status] = ["ok", *statuses]
    return max(known, key=SEVERITY.index)
