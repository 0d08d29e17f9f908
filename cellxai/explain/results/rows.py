"""What a benchmark keeps: a row per score, an answer per attribution, a measure per metric."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cellxai.explain.metrics.base import Direction
from cellxai.explain.status import Status


class Key(NamedTuple):
    """What makes a row unique."""

    image: str
    explainer: str
    metric: str
    seed: int


@dataclass(frozen=True)
class ScoreRow:
    """One score.

    Args:
        image: Identifier of the image.
        explainer: Name of the explainer in the config.
        metric: Name of the metric in the config.
        seed: Seed of the explainer.
        value: The score; NaN for a degenerate map, and where status is ``failed``.
        chance: Score of a map that knows nothing; NaN where theory has no answer.
        status: Status of the attribution; ``failed`` also where only this metric stopped with an
            error.
        reason: Why the status is not ``ok``.
        forwards: Images that the explainer sent through the model.
        backwards: Images that it sent back.
        seconds: Time that the explainer took.
        metric_forwards: Images that the metric sent through the model: none where another metric
            had asked about the same ones before.
        metric_backwards: Images that it sent back, by explaining again.
        metric_seconds: Time that the metric took.
    """

    image: str
    explainer: str
    metric: str
    seed: int
    value: float
    chance: float
    status: Status
    reason: str
    forwards: int
    backwards: int
    seconds: float
    metric_forwards: int = 0
    metric_backwards: int = 0
    metric_seconds: float = 0.0

    @property
    def key(self) -> Key:
        """What makes it unique."""
        return Key(self.image, self.explainer, self.metric, self.seed)


@dataclass(frozen=True, eq=False)
class Answer:
    """One attribution: what it cost, what it is worth, and what it says of each superpixel.

    Args:
        image: Identifier of the image.
        explainer: Name of the explainer in the config.
        seed: Seed of the explainer.
        target: The explained class.
        status: See :class:`cellxai.explain.base.Attribution`, or ``failed``.
        reason: Why the status is not ``ok``.
        forwards: Images through the model.
        backwards: Images whose gradient came back.
        seconds: Until the map was there.
        peak_bytes: Most memory in use beyond what was held before; None where nothing tells.
        batch_size: Images in the largest forward pass.
        dtype: Type of the scores.
        surrogate_r2: Weighted R² of the surrogate model; NaN where there is none.
        ranking_stability: Expected Jaccard index of the top superpixels; NaN where there is none.
        completeness_gap: In units of the score; NaN for methods that promise nothing.
        evidence: Mean of the map on each superpixel; None where the map ranks nothing.
    """

    image: str
    explainer: str
    seed: int
    target: int
    status: Status
    reason: str
    forwards: int = 0
    backwards: int = 0
    seconds: float = 0.0
    peak_bytes: int | None = None
    batch_size: int = 0
    dtype: str = ""
    surrogate_r2: float = np.nan
    ranking_stability: float = np.nan
    completeness_gap: float = np.nan
    evidence: Float[np.ndarray, " s"] | None = None


@dataclass(frozen=True)
class Measure:
    """What a metric tells a table about itself.

    Args:
        metric: Name in the config.
        title: What the metric is called, whatever a config names it.
        family: Metrics of one family are ranked together.
        direction: Whether a ``higher`` or a ``lower`` score is the better one.
        low: Smallest possible score; may be -inf.
        high: Largest possible score; may be inf.
        paper: Where it is defined.
    """

    metric: str
    title: str
    family: str
    direction: Direction
    low: float
    high: float
    paper: str
