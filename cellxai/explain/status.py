"""What an attribution is worth on the model at hand, from best to worst."""

from typing import Literal

Status = Literal["ok", "degraded", "unsupported", "failed"]
"""``failed``: the explainer, or the metric, stopped with an error; nothing is known of the map."""

SEVERITY: tuple[Status, ...] = ("ok", "degraded", "unsupported", "failed")
