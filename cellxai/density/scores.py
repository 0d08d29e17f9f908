"""Scores of sets of images: the density's, the detectors', and the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from cellxai.density.known import Known
from cellxai.density.rounds import ROLES, Roles, Round
from cellxai.density.strangers import Strangers
from cellxai.trained.image_sets import ImageSet, join_sets

OUT_OF_FOLD = "out of fold"
PLACES = ("log_density", "class_log_density", "reconstruction_error")


@dataclass(frozen=True)
class ScoredSet:
    """Images with what is said of them.

    Args:
        name: Of the set.
        role: What its images are to the pipeline: one of ``ROLES``.
        images: The images.
        columns: Numbers for ``scores.csv``, by name; those of detectors come after ``PLACES``.
        flagged: Which are unfamiliar.
    """

    name: str
    role: str
    images: ImageSet
    columns: Mapping[str, Float[np.ndarray, " n"]]
    flagged: Bool[np.ndarray, " n"]

    @property
    def log_density(self) -> Float[np.ndarray, " n"]:
        """Of each image, in nats."""
        return self.columns["log_density"]

    def rows(self, classes: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of ``scores.csv``."""
        logits = self.images.logits
        named = [classes[int(k)] for k in logits.argmax(1)] if logits is not None else None
        return [
            {
                "id": record.id,
                "set": self.name,
                "part": self.role,
                "label": record.label,
                "predicted": named[place] if named else "",
                **{name: in_digits(self.columns, name, place) for name in PLACES},
                "unfamiliar": int(self.flagged[place]),
                **{
                    name: in_digits(self.columns, name, place)
                    for name in self.columns
                    if name not in PLACES
                },
            }
            for place, record in enumerate(self.images.records)
        ]


def in_digits(columns: Mapping[str, Float[np.ndarray, " n"]], name: str, place: int) -> str:
    """A number, or nothing where there is none."""
    return f"{columns[name][place]:.9g}" if name in columns else ""


def score_set(name: str, role: str, images: ImageSet, one: Round) -> ScoredSet:
    """A set as a round's pipeline and detectors see it."""
    pipeline, features, logits = one.pipeline, images.features, images.logits
    found = {"log_density": pipeline.score_samples(features)}
    if logits is not None:
        predicted = pipeline.class_log_density(features, logits.argmax(1))
        found |= {} if predicted is None else {"class_log_density": predicted}
    error = pipeline.reconstruction_error(features)
    found |= {} if error is None else {"reconstruction_error": error}
    columns = {key: values.numpy() for key, values in found.items()}
    columns |= one.confidences(features, logits)
    return ScoredSet(name, role, images, columns, pipeline.unfamiliar(features))


def merged(sets: Sequence[ScoredSet], order: Int[np.ndarray, " n"]) -> ScoredSet:
    """Sets of one name and role as one, its images in another order."""
    first = sets[0]
    return ScoredSet(
        first.name, first.role,
        join_sets([one.images for one in sets]).rows(torch.from_numpy(order)),
        {name: np.concatenate([one.columns[name] for one in sets])[order]
         for name in first.columns},
        np.concatenate([one.flagged for one in sets])[order],
    )  # fmt: skip


def score_known(known: Known, final: Round) -> list[ScoredSet]:
    """The parts of the known images under the final pipeline, those it was fitted to included."""
    found, start = [], 0
    for name, images in known.sets.items():
        places = torch.arange(start, start + len(images.records))
        start += len(images.records)
        for role, chosen in by_role(final.roles, places).items():
            if len(chosen):
                inside = images.rows(chosen - places[0])
                found.append(score_set(name, role, inside, final))
    return found


def by_role(roles: Roles, places: Int[torch.Tensor, " n"]) -> dict[str, Int[torch.Tensor, " m"]]:
    """The places that each role has among some; images that are left out have none."""
    of_role = zip(ROLES, (roles.fitted, roles.calibrating, roles.judged), strict=False)
    return {role: places[torch.isin(places, chosen)] for role, chosen in of_role}


def score_out_of_fold(known: Known, rounds: Sequence[Round]) -> ScoredSet:
    """Every known image under the pipeline of the round that judges it."""
    every = known.every
    places = [one.roles.judged for one in rounds]
    parts = [
        score_set(OUT_OF_FOLD, "judged", every.rows(chosen), one)
        for chosen, one in zip(places, rounds, strict=True)
    ]
    return merged(parts, torch.cat(places).argsort().numpy())


def score_strangers(
    strangers: Mapping[str, Strangers], rounds: Sequence[Round], final: Round
) -> list[ScoredSet]:
    """Sets of strangers under the final pipeline; twins under one that has not seen the image."""
    return [
        score_twins(name, one, rounds)
        if one.twins is not None
        else score_set(name, ROLES[-1], one.images, final)
        for name, one in strangers.items()
    ]


def score_twins(name: str, strangers: Strangers, rounds: Sequence[Round]) -> ScoredSet:
    """Corrupted images, each under a round that was not fitted to the image it was made of."""
    rows = [strangers.rows(one) for one in rounds]
    parts = [
        score_set(name, ROLES[-1], strangers.images.rows(torch.from_numpy(places)), one)
        for places, one in zip(rows, rounds, strict=True)
        if len(places)
    ]
    return merged(parts, np.concatenate(rows).argsort())
