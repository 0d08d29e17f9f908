"""Sets of images with what the density and the detectors beside it say of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from cellxai.density.known_images import KnownImages
from cellxai.density.roles import ROLES, Roles
from cellxai.density.rounds import Round
from cellxai.density.strangers import Strangers
from cellxai.density.verdicts import Verdicts, join_verdicts
from cellxai.trained.image_sets import ImageSet, join_sets

OUT_OF_FOLD = "out of fold"
UNFAMILIAR = ROLES[-1]


@dataclass(frozen=True)
class ScoredSet:
    """Images with their verdicts.

    Args:
        name: Name of the set.
        role: What its images are to the pipeline: one of ``ROLES``.
        images: The images.
        views: Names of the views.
        verdicts: What the views say.
        confidences: How familiar the images seem to each detector beside them.
    """

    name: str
    role: str
    images: ImageSet
    views: tuple[str, ...]
    verdicts: Verdicts
    confidences: Mapping[str, Float[np.ndarray, " n"]]

    @property
    def log_p(self) -> Float[np.ndarray, " n"]:
        """Mean log p-value of the most surprised views of each image."""
        return self.verdicts.evidence.numpy()

    @property
    def flagged(self) -> Bool[np.ndarray, " n"]:
        """Which images are unfamiliar."""
        return self.verdicts.flagged.numpy()

    @property
    def most_surprised(self) -> list[str]:
        """The view that each image surprises most."""
        return [self.views[int(index)] for index in self.verdicts.most_surprised]

    def rows(self, classes: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of ``scores.csv``."""
        logits, verdicts = self.images.logits, self.verdicts
        predicted = None if logits is None else [classes[int(k)] for k in logits.argmax(1)]
        of_views = verdicts.log_p.exp()
        return [
            {
                "id": record.id,
                "set": self.name,
                "part": self.role,
                "label": record.label,
                "predicted": predicted[row] if predicted else "",
                "p": f"{verdicts.p[row]:.6g}",
                "log_p": f"{self.log_p[row]:.9g}",
                "unfamiliar": int(self.flagged[row]),
                "view": self.most_surprised[row],
                **{f"p: {v}": f"{p:.6g}" for v, p in zip(self.views, of_views[row], strict=True)},
                **{name: f"{values[row]:.9g}" for name, values in self.confidences.items()},
            }
            for row, record in enumerate(self.images.records)
        ]


def score_set(
    name: str, role: str, images: ImageSet, fitted: Round, verdicts: Verdicts
) -> ScoredSet:
    """A set with the verdicts on it and the scores of a round's detectors."""
    confidences = fitted.confidences(images)
    return ScoredSet(name, role, images, tuple(fitted.pipeline.views), verdicts, confidences)


def merge_sets(sets: Sequence[ScoredSet], order: Int[np.ndarray, " n"]) -> ScoredSet:
    """Joins sets of one name and role, and puts their images in another order."""
    first, places = sets[0], torch.from_numpy(order)
    return ScoredSet(
        first.name,
        first.role,
        join_sets([scored.images for scored in sets]).some(places),
        first.views,
        join_verdicts([scored.verdicts for scored in sets]).some(places),
        {
            name: np.concatenate([scored.confidences[name] for scored in sets])[order]
            for name in first.confidences
        },
    )


def score_known(known: KnownImages, final: Round) -> list[ScoredSet]:
    """The parts of the known images; those of the fit by densities that were not fitted to them."""
    sets, start = [], 0
    for name, images in known.sets.items():
        indices = torch.arange(start, start + len(images.records))
        start += len(images.records)
        for role, chosen in split_by_role(final.roles, indices).items():
            if len(chosen):
                own, verdicts = images.some(chosen - indices[0]), final.judge_known(known, chosen)
                sets.append(score_set(name, role, own, final, verdicts))
    return sets


def split_by_role(
    roles: Roles, indices: Int[torch.Tensor, " n"]
) -> dict[str, Int[torch.Tensor, " m"]]:
    """Which of the indices have each role; images that are left out have none."""
    known_roles = zip(ROLES, (roles.fitted, roles.judged), strict=False)
    return {role: indices[torch.isin(indices, members)] for role, members in known_roles}


def score_out_of_fold(known: KnownImages, rounds: Sequence[Round]) -> ScoredSet:
    """Every known image under the pipeline of the round that judges it."""
    sets = [
        score_set(
            OUT_OF_FOLD, "judged", known.every.some(fitted.roles.judged), fitted,
            fitted.judge_known(known, fitted.roles.judged),
        )
        for fitted in rounds
    ]  # fmt: skip
    judged = torch.cat([fitted.roles.judged for fitted in rounds])
    return merge_sets(sets, judged.argsort().numpy())


def score_strangers(
    strangers: Mapping[str, Strangers], rounds: Sequence[Round], final: Round
) -> list[ScoredSet]:
    """Sets of strangers under the final pipeline; twins under one that has not seen the image."""
    return [
        score_set(name, UNFAMILIAR, other.images, final, final.pipeline.judge(other.images.rows))
        if other.twins is None
        else score_twins(name, other, rounds)
        for name, other in strangers.items()
    ]


def score_twins(name: str, twins: Strangers, rounds: Sequence[Round]) -> ScoredSet:
    """Corrupted images, each under densities that were not fitted to the image it was made from."""
    assert twins.twins is not None
    rows = [twins.rows_scored_in(fitted.roles) for fitted in rounds]
    of_twins = torch.from_numpy(twins.twins)
    sets = []
    for chosen, fitted in zip(map(torch.from_numpy, rows), rounds, strict=True):
        if len(chosen):
            images = twins.images.some(chosen)
            verdicts = fitted.judge_twins(images, of_twins[chosen])
            sets.append(score_set(name, UNFAMILIAR, images, fitted, verdicts))
    return merge_sets(sets, np.concatenate(rows).argsort())
