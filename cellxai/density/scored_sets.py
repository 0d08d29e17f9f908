"""Sets of images with their scores: the density's, the detectors', and the verdict."""

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
from cellxai.trained.image_sets import ImageSet, join_sets

OUT_OF_FOLD = "out of fold"
UNFAMILIAR = ROLES[-1]
DENSITY_COLUMNS = ("log_density", "class_log_density", "reconstruction_error")


@dataclass(frozen=True)
class ScoredSet:
    """Images with their scores.

    Args:
        name: Name of the set.
        role: What its images are to the pipeline: one of ``ROLES``.
        images: The images.
        columns: Numbers for ``scores.csv``, by name; detectors' columns follow ``DENSITY_COLUMNS``.
        flagged: Which images are unfamiliar.
    """

    name: str
    role: str
    images: ImageSet
    columns: Mapping[str, Float[np.ndarray, " n"]]
    flagged: Bool[np.ndarray, " n"]

    @property
    def log_density(self) -> Float[np.ndarray, " n"]:
        """The log density of each image, in nats."""
        return self.columns["log_density"]

    def rows(self, classes: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of ``scores.csv``."""
        logits = self.images.logits
        predicted = None if logits is None else [classes[int(k)] for k in logits.argmax(1)]
        of_detectors = [name for name in self.columns if name not in DENSITY_COLUMNS]
        return [
            {
                "id": record.id,
                "set": self.name,
                "part": self.role,
                "label": record.label,
                "predicted": predicted[row] if predicted else "",
                **{name: self._cell(name, row) for name in DENSITY_COLUMNS},
                "unfamiliar": int(self.flagged[row]),
                **{name: self._cell(name, row) for name in of_detectors},
            }
            for row, record in enumerate(self.images.records)
        ]

    def _cell(self, name: str, row: int) -> str:
        return f"{self.columns[name][row]:.9g}" if name in self.columns else ""


def score_set(name: str, role: str, images: ImageSet, fitted: Round) -> ScoredSet:
    """A set with the scores of a round's pipeline and detectors."""
    pipeline, features, logits = fitted.pipeline, images.features, images.logits
    scores = {
        "log_density": pipeline.score_samples(features),
        "class_log_density": None
        if logits is None
        else pipeline.class_log_density(features, logits.argmax(1)),
        "reconstruction_error": pipeline.reconstruction_error(features),
    }
    columns = {key: values.numpy() for key, values in scores.items() if values is not None}
    columns |= fitted.confidences(features, logits)
    return ScoredSet(name, role, images, columns, pipeline.unfamiliar(features))


def merge_sets(sets: Sequence[ScoredSet], order: Int[np.ndarray, " n"]) -> ScoredSet:
    """Joins sets of one name and role, and puts their images in another order."""
    first = sets[0]
    images = join_sets([scored.images for scored in sets]).rows(torch.from_numpy(order))
    columns = {
        name: np.concatenate([scored.columns[name] for scored in sets])[order]
        for name in first.columns
    }
    flagged = np.concatenate([scored.flagged for scored in sets])[order]
    return ScoredSet(first.name, first.role, images, columns, flagged)


def score_known(known: KnownImages, final: Round) -> list[ScoredSet]:
    """The parts of the known images under the final pipeline, those it was fitted to included."""
    sets, start = [], 0
    for name, images in known.sets.items():
        indices = torch.arange(start, start + len(images.records))
        start += len(images.records)
        for role, chosen in split_by_role(final.roles, indices).items():
            if len(chosen):
                sets.append(score_set(name, role, images.rows(chosen - indices[0]), final))
    return sets


def split_by_role(
    roles: Roles, indices: Int[torch.Tensor, " n"]
) -> dict[str, Int[torch.Tensor, " m"]]:
    """Which of the indices have each role; images that are left out have none."""
    known_roles = zip(ROLES, (roles.fitted, roles.calibrating, roles.judged), strict=False)
    return {role: indices[torch.isin(indices, members)] for role, members in known_roles}


def score_out_of_fold(known: KnownImages, rounds: Sequence[Round]) -> ScoredSet:
    """Every known image under the pipeline of the round that judges it."""
    sets = [
        score_set(OUT_OF_FOLD, "judged", known.every.rows(fitted.roles.judged), fitted)
        for fitted in rounds
    ]
    judged = torch.cat([fitted.roles.judged for fitted in rounds])
    return merge_sets(sets, judged.argsort().numpy())


def score_strangers(
    strangers: Mapping[str, Strangers], rounds: Sequence[Round], final: Round
) -> list[ScoredSet]:
    """Sets of strangers under the final pipeline; twins under one that has not seen the image."""
    return [
        score_set(name, UNFAMILIAR, images.images, final)
        if images.twins is None
        else score_twins(name, images, rounds)
        for name, images in strangers.items()
    ]


def score_twins(name: str, twins: Strangers, rounds: Sequence[Round]) -> ScoredSet:
    """Corrupted images, each under a round that was not fitted to the image it was made from."""
    rows = [twins.rows_scored_in(fitted.roles) for fitted in rounds]
    sets = [
        score_set(name, UNFAMILIAR, twins.images.rows(torch.from_numpy(chosen)), fitted)
        for chosen, fitted in zip(rows, rounds, strict=True)
        if len(chosen)
    ]
    return merge_sets(sets, np.concatenate(rows).argsort())
