"""What is fitted in one round: a pipeline of views, and the detectors beside it."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.detectors.base import Detector
from cellxai.density.known_images import KnownImages
from cellxai.density.pipeline import DensityPipeline
from cellxai.density.roles import Roles
from cellxai.density.settings import PipelineSettings
from cellxai.density.verdicts import Verdicts
from cellxai.density.views import View
from cellxai.evaluation.units import sampling_units
from cellxai.trained.image_sets import ImageSet

DENSITY = "density"  # what tables call the verdict over all views


@dataclass(frozen=True)
class Round:
    """Everything that is fitted to the images of one round.

    Args:
        roles: The roles of the known images.
        pipeline: The views with their thresholds.
        detectors: Fitted detectors by name.
    """

    roles: Roles
    pipeline: DensityPipeline
    detectors: Mapping[str, Detector]

    def judge_known(self, known: KnownImages, indices: Int[Tensor, " m"]) -> Verdicts:
        """The verdicts on known images of one role; fitted ones are judged out of their folds."""
        if len(indices) and bool((self.roles.fitted == indices[0]).any()):
            return self.pipeline.judge_known().some(self.roles.places_among_fitted(indices))
        return self.pipeline.judge(known.every.some(indices).rows)

    def judge_twins(self, images: ImageSet, twins: Int[Tensor, " m"]) -> Verdicts:
        """The verdicts on changed known images, by densities that have not seen the originals.

        Args:
            images: The changed images.
            twins: The index of the known image that each was made from.
        """
        if len(twins) and bool((self.roles.fitted == twins[0]).any()):
            folds = self.roles.folds[self.roles.places_among_fitted(twins)]
            return self.pipeline.judge_out_of_fold(images.rows, folds)
        return self.pipeline.judge(images.rows)

    def confidences(self, images: ImageSet) -> dict[str, Float[np.ndarray, " n"]]:
        """How familiar images seem to each detector beside the density."""
        return {
            name: detector.confidence(images.features, images.logits).numpy()
            for name, detector in self.detectors.items()
            if images.logits is not None or not detector.needs_logits
        }


def fit_round(
    known: KnownImages,
    roles: Roles,
    views: Mapping[str, View],
    settings: PipelineSettings,
    detectors: Mapping[str, Detector],
    seed: int,
) -> Round:
    """Fits the views and all detectors to the images of a round, and sets the threshold."""
    images = known.every.some(roles.fitted)
    units = torch.from_numpy(sampling_units(images.records))
    pipeline = DensityPipeline(views, settings, seed).fit(
        images.rows, roles.folds, known.labels[roles.fitted], roles.trained, units
    )
    return Round(roles, pipeline, fit_detectors(known, roles, detectors))


def fit_detectors(
    known: KnownImages, roles: Roles, detectors: Mapping[str, Detector]
) -> dict[str, Detector]:
    """Copies of the detectors, fitted to the images of a round where the logits allow it."""
    copies = {name: deepcopy(detector) for name, detector in detectors.items()}
    images = known.every.some(roles.taught)
    for detector in copies.values():
        if images.logits is not None or not detector.needs_logits:
            detector.fit(images.features, images.logits, known.labels[roles.taught])
    return copies
