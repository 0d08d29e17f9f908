"""The computation of ``density``: everything that one call finds, before it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from cellxai.data.records import Fault
from cellxai.density.comparison import DetectorResult, compare
from cellxai.density.known_images import (
    KnownImages,
    deal,
    deal_into_folds,
    find_usable,
    read_known_images,
)
from cellxai.density.roles import Assignment, assign_by_fold, assign_by_part, fit_rounds
from cellxai.density.rounds import Round, fit_round
from cellxai.density.scored_sets import (
    ScoredSet,
    score_known,
    score_out_of_fold,
    score_strangers,
)
from cellxai.density.strangers import find_strangers
from cellxai.density.threshold_reliability import measure_reliability
from cellxai.density.views import View
from cellxai.trained.image_sets import FeatureSource
from cellxai.verbs.density.question import DensityQuestion


@dataclass(frozen=True)
class DensityFindings:
    """Everything that one call of ``density`` computed, before it is written.

    Args:
        final: What is kept: the pipeline that new images are scored by.
        sets: Known images by part and role, then strangers.
        classes: Names of the classes.
        detector_results: The density and the detectors beside it, on strangers.
        reliability: Rows of what thresholds do to images that had no say.
        faults: What could not be read, by set.
        unseen: Whether the network was trained on none of the images.
    """

    final: Round
    sets: Sequence[ScoredSet]
    classes: tuple[str, ...]
    detector_results: Sequence[DetectorResult]
    reliability: Sequence[Mapping[str, Any]]
    faults: Mapping[str, tuple[Fault, ...]]
    unseen: bool

    @property
    def sets_by_name(self) -> dict[str, list[ScoredSet]]:
        """The sets of each name: several for a part whose images have several roles."""
        names = dict.fromkeys(scored.name for scored in self.sets)
        return {name: [scored for scored in self.sets if scored.name == name] for name in names}

    @property
    def log_p(self) -> dict[str, Float[np.ndarray, " _"]]:
        """Mean log p-value of the most surprised views of the images of each name."""
        return {
            name: np.concatenate([scored.log_p for scored in sets])
            for name, sets in self.sets_by_name.items()
        }

    @property
    def flagged(self) -> dict[str, Bool[np.ndarray, " _"]]:
        """The verdicts on the images of each name."""
        return {
            name: np.concatenate([scored.flagged for scored in sets])
            for name, sets in self.sets_by_name.items()
        }

    @property
    def shares_flagged(self) -> dict[str, float]:
        """The share of the images of each name that is flagged."""
        return {name: float(flagged.mean()) for name, flagged in self.flagged.items()}


def find_density(
    source: FeatureSource, views: Mapping[str, View], question: DensityQuestion
) -> DensityFindings:
    """Computes everything that ``density`` writes.

    Raises:
        ValueError: If no image was held out, a setting does not fit the images, or a set of
            strangers has no readable image.
    """
    seed, settings = question.seed, question.strangers
    known = read_known_images(source)
    assignment = assign_roles(source, known, question)
    fit = partial(
        fit_round, known, views=views, settings=question.pipeline, detectors=question.detectors,
        seed=seed,
    )  # fmt: skip
    rounds, final = fit_rounds(assignment, fit)
    strangers = find_strangers(source, known, assignment.rounds, settings, seed)
    out_of_fold = [] if question.folds is None else [score_out_of_fold(known, rounds)]
    return DensityFindings(
        final,
        [*score_known(known, final), *out_of_fold, *score_strangers(strangers, rounds, final)],
        known.classes,
        compare(known, rounds, strangers, seed),
        measure_reliability(known, rounds),
        {name: images.images.faults for name, images in strangers.items()},
        source.unseen,
    )


def assign_roles(
    source: FeatureSource, known: KnownImages, question: DensityQuestion
) -> Assignment:
    """Who fits and who is judged: by the parts of the images, or by folds.

    Raises:
        ValueError: If no image was held out.
    """
    usable = find_usable(known, question.strangers.left_out_class)
    if question.folds is not None:
        folds = deal_into_folds(source, known, question.folds, question.seed)
        return assign_by_fold(folds, usable)
    try:
        return assign_by_part(
            known.parts, usable, source.unseen,
            lambda chosen: deal(
                [known.records[int(i)] for i in chosen], question.pipeline.n_folds, question.seed
            ),
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{source.folder.root}: {error}") from error
