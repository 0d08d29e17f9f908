"""What a store holds, read once: its scores as arrays of images × explainers, one per metric."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from cellxai.explain.metrics.base import Direction
from cellxai.explain.results.rows import Answer, Measure, ScoreRow
from cellxai.explain.results.store import Store

CONTROLS = "cellxai.explain.controls."  # how our own are stored: older files say no more of them

FAMILIES = (
    "truth", "faithfulness", "localisation", "sanity", "stability", "validity", "complexity",
)  # fmt: skip
"""The order of all tables: agreement with a known cause says most. Others follow by name."""


@dataclass(frozen=True, eq=False)
class Results:
    """All that tables and pictures are made from; the order of rows and answers means nothing.

    Args:
        rows: The scores.
        answers: The attributions.
        measures: What the metrics are, by their name in the config.
        inapplicable: Images and metrics that need a truth which is not known of them.
        controls: Explainers that know nothing of the model.
    """

    rows: Sequence[ScoreRow]
    answers: Sequence[Answer]
    measures: Mapping[str, Measure]
    inapplicable: frozenset[tuple[str, str]] = frozenset()
    controls: frozenset[str] = frozenset()

    @property
    def explainers(self) -> tuple[str, ...]:
        """All of the benchmark, in alphabetical order, the controls last."""
        names = {record.explainer for record in (*self.rows, *self.answers)}
        return tuple(sorted(names, key=lambda name: (name in self.controls, name)))

    @property
    def planned(self) -> frozenset[tuple[str, int]]:
        """Images and seeds of the whole benchmark, as far as it has come."""
        return frozenset((record.image, record.seed) for record in (*self.rows, *self.answers))


@dataclass(frozen=True, eq=False)
class Scores:
    """What one metric says of every explainer on every image.

    Args:
        measure: What the metric is.
        images: Those on which any explainer was judged by it.
        explainers: All of the benchmark.
        values: Mean over the judged seeds; NaN where any of them has no score, for a method must
            not gain by failing under the seeds where it would do badly.
        judged: Where there is a row, with a score or without.
    """

    measure: Measure
    images: tuple[str, ...]
    explainers: tuple[str, ...]
    values: Float[np.ndarray, "n k"]
    judged: Bool[np.ndarray, "n k"]

    @property
    def direction(self) -> Direction:
        """Whether a ``higher`` or a ``lower`` score is better."""
        return self.measure.direction

    def of(self, explainers: Iterable[str]) -> dict[str, Float[np.ndarray, " n"]]:
        """The scores by explainer, as :mod:`cellxai.explain.results.significance` takes them."""
        return {name: self.values[:, self.explainers.index(name)] for name in explainers}

    def judged_of(self, explainers: Iterable[str]) -> dict[str, Bool[np.ndarray, " n"]]:
        """Where each explainer has a row, with a score or without."""
        return {name: self.judged[:, self.explainers.index(name)] for name in explainers}

    @property
    def scored(self) -> tuple[str, ...]:
        """Explainers with a score on any image."""
        columns = np.flatnonzero(~np.isnan(self.values).all(0))
        return tuple(self.explainers[column] for column in columns)


def read_results(store: Store) -> Results:
    """All that a store holds."""
    return Results(
        store.rows(),
        store.answers(),
        store.measures(),
        frozenset(store.inapplicable()),
        controls_of(store.settings()),
    )


def controls_of(settings: Mapping[str, str]) -> frozenset[str]:
    """Explainers that know nothing of the model, by what they said of themselves."""
    ours = [name for name, kind in _about("explainer", settings) if kind.startswith(CONTROLS)]
    said_so = [name for name, answer in _about("control", settings) if answer == "yes"]
    return frozenset(ours + said_so)


def score_arrays(results: Results) -> list[Scores]:
    """One per metric that has rows: what a metric can prove first, then by name."""
    by_metric: dict[str, list[ScoreRow]] = {}
    for row in results.rows:
        by_metric.setdefault(row.metric, []).append(row)
    scores = [
        _scores(own, results.measures[metric], results.explainers)
        for metric, own in by_metric.items()
    ]
    return sorted(scores, key=_position)


def mean(values: Iterable[float]) -> float:
    """Mean of what is not NaN, the same in whatever order; NaN when nothing is left."""
    kept = [value for value in values if not math.isnan(value)]
    return math.fsum(kept) / len(kept) if kept else math.nan


def _mean_of_all(values: Sequence[float]) -> float:
    """Mean over the seeds, the same in whatever order; NaN where one is missing."""
    return math.fsum(values) / len(values) if values else math.nan


def _about(kind: str, settings: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is stored under ``kind 'name'``, by name."""
    start = f"{kind} '"
    return [(key[len(start) : -1], text) for key, text in settings.items() if key.startswith(start)]


def _position(scores: Scores) -> tuple[int, str, str]:
    family = scores.measure.family
    known = FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)
    return known, family, scores.measure.metric


def _scores(rows: Sequence[ScoreRow], measure: Measure, explainers: tuple[str, ...]) -> Scores:
    images = tuple(sorted({row.image for row in rows}))
    seeds: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        seeds.setdefault((row.image, row.explainer), []).append(row.value)
    cells = [[seeds.get((image, name)) for name in explainers] for image in images]
    return Scores(
        measure,
        images,
        explainers,
        np.array([[_mean_of_all(cell or ()) for cell in line] for line in cells]),
        np.array([[cell is not None for cell in line] for line in cells]),
    )
