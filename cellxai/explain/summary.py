"""Tables of a benchmark from its stored rows alone: no model is needed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cellxai.explain.statistics import Interval, PairedTest, bootstrap_mean, paired_tests
from cellxai.explain.status import SEVERITY, Status
from cellxai.explain.store import Row, Store


@dataclass(frozen=True)
class Summary:
    """One explainer under one metric, over all images.

    Args:
        explainer: Name of the explainer.
        metric: Name of the metric.
        direction: Whether a ``higher`` or a ``lower`` score is better.
        score: Mean over images and its interval, seeds averaged first.
        chance: Mean score of a map that knows nothing; NaN where theory has no answer.
        degenerate: Rows without a score, because the map ranks nothing or has no positive part.
        missing: Rows not computed: an unfinished benchmark, or images without that truth.
        status: The worst of its attributions' statuses.
        reason: One reason for that status.
        forwards: Mean number of images sent through the model, per attribution.
        backwards: Likewise backwards.
        seconds: Mean time, per attribution.
    """

    explainer: str
    metric: str
    direction: str
    score: Interval
    chance: float
    degenerate: int
    missing: int
    status: Status
    reason: str
    forwards: float
    backwards: float
    seconds: float


def summarise(store: Store) -> list[Summary]:
    """One line per explainer and metric, the metrics in turn; nothing is dropped uncounted."""
    rows, settings = store.rows(), store.settings()
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        cells.setdefault((row.metric, row.explainer), []).append(row)
    expected = len({(row.image, row.seed) for row in rows})
    return [
        _summary(cell, settings[f"direction of '{metric}'"], expected)
        for (metric, _), cell in sorted(cells.items())
    ]


def compare(store: Store, metric: str) -> list[PairedTest]:
    """Every pair of explainers under one metric, on the images that both have a score for."""
    rows = [row for row in store.rows() if row.metric == metric]
    if not rows:
        raise ValueError(f"{store.path}: no row of metric '{metric}'; run the benchmark with it")
    images = sorted({row.image for row in rows})
    explainers = sorted({row.explainer for row in rows})
    return paired_tests(
        {name: image_means([r for r in rows if r.explainer == name], images) for name in explainers}
    )


def image_means(rows: Sequence[Row], images: Sequence[str]) -> Float[np.ndarray, " n"]:
    """Score of each image, the mean over its seeds; NaN where there is none."""
    values: dict[str, list[float]] = {image: [] for image in images}
    for row in rows:
        values[row.image].append(row.value)
    return np.array([_mean(values[image]) for image in images])


def _summary(rows: Sequence[Row], direction: str, expected: int) -> Summary:
    worst = max(rows, key=lambda row: SEVERITY.index(row.status))
    return Summary(
        explainer=worst.explainer,
        metric=worst.metric,
        direction=direction,
        score=bootstrap_mean(image_means(rows, sorted({row.image for row in rows}))),
        chance=_mean([row.chance for row in rows]),
        degenerate=sum(math.isnan(row.value) for row in rows),
        missing=expected - len(rows),
        status=worst.status,
        reason=worst.reason,
        forwards=_mean([row.forwards for row in rows]),
        backwards=_mean([row.backwards for row in rows]),
        seconds=_mean([row.seconds for row in rows]),
    )


def _mean(values: Sequence[float | int]) -> float:
    """Mean of what is not NaN; NaN when nothing is left."""
    kept = [value for value in values if not math.isnan(value)]
    return float(np.mean(kept)) if kept else float("nan")
