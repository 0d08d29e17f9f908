"""Who fits, who sets the threshold, who is judged: never one image in two of these."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.detectors.base import Detector
from cellxai.density.known import Known
from cellxai.density.pipeline import DensityPipeline
from cellxai.density.settings import PipelineSettings

DENSITY, ERROR, BOTH = "density", "reconstruction", "density + reconstruction"
ROLES = ("fitted", "calibrating", "judged", "unfamiliar")


@dataclass(frozen=True)
class Roles:
    """What known images do in one round, by their place; no place is in two roles.

    Args:
        fitted: Fit the density and the detectors.
        calibrating: Set the threshold; none where folds of the fitted ones do.
        judged: Neither; what the threshold does to new images is measured on them.
        folds: Of the fitted images, where these set the threshold, too; otherwise none.
    """

    fitted: Int[Tensor, " a"]
    calibrating: Int[Tensor, " b"]
    judged: Int[Tensor, " c"]
    folds: Int[Tensor, " d"]

    def __post_init__(self) -> None:
        used = torch.cat([self.fitted, self.calibrating, self.judged])
        assert len(used.unique()) == len(used), "an image in two roles"
        assert bool(len(self.calibrating)) != bool(len(self.folds)), "one source of a threshold"


NONE = torch.empty(0, dtype=torch.int64)


def roles_of_parts(parts: Sequence[str], usable: Sequence[bool]) -> Roles:
    """Training images fit, validation images set the threshold, test images are judged.

    Without validation images the test images set the threshold and none is judged.

    Args:
        parts: Of each image.
        usable: Whether it takes part; images of a class that is left out do not.

    Raises:
        ValueError: If every image was trained on.
    """
    names = [part for part in ("validation", "test") if part in parts]
    if not names:
        raise ValueError(
            "every image was trained on, so no threshold can be set; fit with "
            "--split.validation_share above 0, or pass --folds for features that were not trained"
        )
    wanted = {"fitted": "train", "calibrating": names[0], "judged": (*names, "")[1]}
    places = {
        role: torch.tensor(
            [i for i, part in enumerate(parts) if part == wanted[role] and usable[i]],
            dtype=torch.int64,
        )
        for role in wanted
    }
    for role in ("fitted", "calibrating"):
        if not len(places[role]):
            raise ValueError(f"no image of part {wanted[role]!r} is left; leave out another class")
    return Roles(**places, folds=NONE)


def roles_of_folds(folds: Int[Tensor, " n"], usable: Sequence[bool]) -> list[Roles]:
    """A round a fold: its images are judged, and the others fit and set the threshold in folds."""
    every = torch.arange(len(folds))[torch.tensor(usable)]
    return [
        Roles(
            every[folds[every] != fold],
            NONE,
            every[folds[every] == fold],
            folds[every[folds[every] != fold]],
        )
        for fold in folds[every].unique()
    ]


def roles_of_all(folds: Int[Tensor, " n"], usable: Sequence[bool]) -> Roles:
    """All images fit, and set the threshold in folds."""
    every = torch.arange(len(folds))[torch.tensor(usable)]
    return Roles(every, NONE, NONE, folds[every])


@dataclass(frozen=True)
class Round:
    """Everything fitted to the images of one round.

    Args:
        roles: Whose.
        pipeline: With its threshold.
        detectors: By name.
    """

    roles: Roles
    pipeline: DensityPipeline
    detectors: Mapping[str, Detector]

    def confidences(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> dict[str, Float[np.ndarray, " n"]]:
        """How familiar images seem to each detector, the density first."""
        error = self.pipeline.reconstruction_error(features)
        found = {DENSITY: self.pipeline.score_samples(features)}
        if error is not None:
            found |= {ERROR: -error, BOTH: self.pipeline.evidence(features)}
        others = {
            name: one.confidence(features, logits)
            for name, one in self.detectors.items()
            if logits is not None or not one.needs_logits
        }
        return {name: values.numpy() for name, values in (found | others).items()}


def fit_round(
    known: Known,
    roles: Roles,
    settings: PipelineSettings,
    detectors: Mapping[str, Detector],
    seed: int,
) -> Round:
    """Fits the density and all detectors to the images of a round, and sets the threshold."""
    features, labels = known.features[roles.fitted], known.labels[roles.fitted]
    logits = None if known.logits is None else known.logits[roles.fitted]
    pipeline = DensityPipeline(settings, seed)
    if len(roles.folds):
        pipeline.fit_folds(features, roles.folds, labels)
    else:
        pipeline.fit(features, labels).calibrate(known.features[roles.calibrating])
    own = {name: deepcopy(one) for name, one in detectors.items()}
    for one in own.values():
        if logits is not None or not one.needs_logits:
            one.fit(features, logits, labels)
    return Round(roles, pipeline, own)
