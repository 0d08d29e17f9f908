"""What one explainer says of one image: the map, and what it is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.base import Attribution, Cost
from cellxai.explain.metrics.agreement import RankCorrelation
from cellxai.explain.metrics.stability import mean_similarity
from cellxai.explain.my_model.lazy_context import LazyContext
from cellxai.explain.status import Status, worst_status


@dataclass(frozen=True, eq=False)
class Subject:
    """One explained image.

    Args:
        name: Its name, or number.
        image: In [0, 1].
        target: The explained class.
        probability: Of that class, where it was predicted; None where it was given.
        is_predicted: Whether the class is the one that the model predicts.
        context: Superpixels and baseline, made when they are needed.
    """

    name: str
    image: Float[Tensor, "c h w"]
    target: int
    probability: float | None
    is_predicted: bool
    context: LazyContext


@dataclass(frozen=True, eq=False)
class Explanation:
    """What one explainer says of one image.

    Args:
        subject: The image.
        explainer: Its name.
        is_control: Whether it knows nothing of the model.
        meaning: What the map says where it is no evidence for or against; empty otherwise.
        runs: Its answers, one for each seed, each to a batch of this image.
    """

    subject: Subject
    explainer: str
    is_control: bool
    meaning: str
    runs: tuple[Attribution, ...]

    @property
    def map(self) -> Float[Tensor, "h w"]:
        """Signed evidence per pixel in units of the score, the mean over the seeds, on the CPU."""
        maps = [run.values[0].detach().cpu() for run in self.runs]
        return maps[0].clone() if len(maps) == 1 else torch.stack(maps).mean(0)

    @property
    def status(self) -> Status:
        """``ok``, ``degraded``, ``unsupported`` or ``failed``: the worst of all seeds."""
        return worst_status([run.status for run in self.runs])

    @property
    def reason(self) -> str:
        """Why the status is not ``ok``, or what else has to be known."""
        worst = [run.reason for run in self.runs if run.status == self.status and run.reason]
        return worst[0] if worst else ""

    @property
    def cost(self) -> Cost:
        """Of all seeds together."""
        costs = [run.cost for run in self.runs]
        return Cost(
            sum(cost.forwards for cost in costs),
            sum(cost.backwards for cost in costs),
            sum(cost.seconds for cost in costs),
            None,  # not measured: to do so takes longer than some maps
            max(cost.batch_size for cost in costs),
            costs[0].dtype,
        )

    @property
    def surrogate_r2(self) -> float | None:
        """Weighted R² of LIME's linear surrogate: what of the score's change it explains."""
        return self._mean("surrogate_r2")

    @property
    def ranking_stability(self) -> float | None:
        """Overlap to expect of the top superpixels with those of endlessly many samples."""
        return self._mean("ranking_stability")

    @property
    def completeness_gap(self) -> float | None:
        """Sum of the map minus the change of the score, for methods that promise none."""
        return self._mean("completeness_gap")

    @property
    def relative_error(self) -> float | None:
        """What the values' distance to exact ones does not exceed, as a share of their length."""
        return self._mean("relative_error")

    @property
    def seed_agreement(self) -> float | None:
        """Mean rank correlation by superpixels between two seeds' maps; None with one seed."""
        if len(self.runs) < 2:
            return None
        return float(mean_similarity(list(self.runs), RankCorrelation(), self.subject.context))

    def row(self, class_name: str) -> dict[str, Any]:
        """Its row of the table."""
        subject, cost = self.subject, self.cost
        return {
            "image": subject.name, "class": class_name, "probability": subject.probability,
            "explainer": self.explainer, "status": self.status, "reason": self.reason,
            "forwards": cost.forwards, "backwards": cost.backwards, "seconds": cost.seconds,
            "surrogate_r2": self.surrogate_r2, "ranking_stability": self.ranking_stability,
            "completeness_gap": self.completeness_gap, "relative_error": self.relative_error,
            "seed_agreement": self.seed_agreement,
        }  # fmt: skip

    def _mean(self, part: str) -> float | None:
        values = [float(value[0]) for run in self.runs if (value := getattr(run, part)) is not None]
        return fmean(values) if values else None


def certainty(row: Mapping[str, Any]) -> str:
    """What is known of how far a map can be relied on, in words."""
    words = {
        "surrogate_r2": "R² {:.2f}",
        "ranking_stability": "top stays {:.2f}",
        "completeness_gap": "gap {:.2g}",
        "relative_error": "error at most {:.2g}",
        "seed_agreement": "seeds agree {:.2f}",
    }
    known = {name: row[name] for name in words if row[name] is not None}
    said = [words[name].format(value) for name, value in known.items() if value == value]
    return ", ".join(said)
