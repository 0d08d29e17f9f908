"""Who stands where: ranks under each metric and in each family, and who beats the controls.

There is no rank over families: faithful, stable and cheap are different things.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from cellxai.explain.results.ranking import Friedman, friedman, image_ranks, joint_ranks
from cellxai.explain.results.score_arrays import Results, Scores, score_arrays
from cellxai.explain.results.significance import Verdict, beat_controls, verdicts_of


@dataclass(frozen=True)
class Standing:
    """The order of the explainers in one family or under one metric.

    An image takes part in a metric when every ranked explainer was judged on it; a degenerate map
    ranks last there.

    Args:
        level: Whether it is that of a ``family`` or of a ``metric``.
        name: Name of the family or metric.
        family: Family of the metric, or the family itself.
        n_metrics: Metrics that took part.
        friedman: Ranks of those explainers that have a score at all, and the test.
        left_out: Images on which some ranked explainer was not judged, under any metric.
        verdicts: Whether each ranked method beats every control, by its ranks; none for controls.
    """

    level: Literal["family", "metric"]
    name: str
    family: str
    n_metrics: int
    friedman: Friedman
    left_out: int
    verdicts: dict[str, Verdict]


def rank_explainers(results: Results) -> list[Standing]:
    """The standing in each family, followed by those under its metrics."""
    standings = []
    for family, members in groupby(score_arrays(results), lambda scores: scores.measure.family):
        by_metric = list(members)
        standings.append(_of_family(family, by_metric, results.controls))
        standings += [_of_metric(scores, results.controls) for scores in by_metric]
    return standings


def _of_metric(scores: Scores, controls: Collection[str]) -> Standing:
    ranked = scores.scored
    columns = [scores.explainers.index(name) for name in ranked]
    complete = scores.judged[:, columns].all(1)
    kept = scores.values[complete][:, columns]
    verdicts = beat_controls(
        scores.of(ranked), controls, scores.direction, judged=scores.judged_of(ranked)
    )
    return Standing(
        "metric",
        scores.measure.metric,
        scores.measure.family,
        1,
        friedman(ranked, image_ranks(kept, scores.direction)),
        int((~complete).sum()),
        verdicts,
    )


def _of_family(family: str, members: Sequence[Scores], controls: Collection[str]) -> Standing:
    scored = {name for scores in members for name in scores.scored}
    ranked = [name for name in members[0].explainers if name in scored]
    images = sorted({image for scores in members for image in scores.images})
    by_metric = np.stack([_ranks_on(images, scores, ranked) for scores in members])
    known = np.stack([_known_on(images, scores, ranked) for scores in members])
    ranks = joint_ranks(by_metric)
    methods = [name for name in ranked if name not in controls]
    rivals = [name for name in ranked if name in controls]
    leads = {
        name: [_leads(by_metric, known, ranked, name, rival) for rival in rivals]
        for name in methods
    }
    return Standing(
        "family",
        family,
        family,
        int((~np.isnan(by_metric)).any((1, 2)).sum()),
        friedman(ranked, ranks),
        len(images) - len(ranks),
        verdicts_of(leads),
    )


def _leads(
    by_metric: Float[np.ndarray, "m n k"],
    known: Bool[np.ndarray, "m n k"],
    ranked: Sequence[str],
    method: str,
    rival: str,
) -> Float[np.ndarray, " judged"]:
    """By how many ranks a method is ahead of a control on each image.

    Where the control has no score it ranks last, and nothing can be beaten: such metrics of an
    image are left out.
    """
    ours, theirs = ranked.index(method), ranked.index(rival)
    ranks = joint_ranks(np.where(known[:, :, [theirs]], by_metric, np.nan))
    return ranks[:, theirs] - ranks[:, ours]


def _known_on(
    images: Sequence[str], scores: Scores, ranked: Sequence[str]
) -> Bool[np.ndarray, "n k"]:
    """Where each explainer has a score under one metric, on all images of its family."""
    columns = [scores.explainers.index(name) for name in ranked]
    known = np.zeros((len(images), len(ranked)), dtype=bool)
    known[[images.index(image) for image in scores.images]] = ~np.isnan(scores.values[:, columns])
    return known


def _ranks_on(
    images: Sequence[str], scores: Scores, ranked: Sequence[str]
) -> Float[np.ndarray, "n k"]:
    """Ranks under one metric on all images of its family; NaN where not everybody was judged."""
    columns = [scores.explainers.index(name) for name in ranked]
    complete = np.flatnonzero(scores.judged[:, columns].all(1))
    kept = scores.values[complete][:, columns]
    ranks = np.full((len(images), len(ranked)), np.nan)
    rows = [images.index(scores.images[row]) for row in complete]
    ranks[rows] = image_ranks(kept, scores.direction)
    return ranks
