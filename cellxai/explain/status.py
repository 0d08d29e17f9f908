"""What an attribution is worth on the model at hand, from best to worst."""

from typing import Literal

Status = Literal["ok", "degraded", "unsupported"]

SEVERITY: tuple[Status, ...] = ("ok", "degraded", "unsupported")
