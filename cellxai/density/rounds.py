"""What is fitted in one round: a pipeline with its threshold, and the detectors beside it."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from cellxai.density.detectors.base import Detector
from cellxai.density.known_images import KnownImages
from cellxai.density.pipeline import DensityPipeline
from cellxai.density.roles import Roles, fit_in_roles
from cellxai.density.settings import PipelineSettings

DENSITY, ERROR, BOTH = "density", "reconstruction", "density + reconstruction"


@dataclass(frozen=True)
class Round:
    """Everything that is fitted to the images of one round.

    Args:
        roles: The roles of the known images.
        pipeline: The density with its threshold.
        detectors: Fitted detectors by name.
    """

    roles: Roles
    pipeline: DensityPipeline
    detectors: Mapping[str, Detector]

    def confidences(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> dict[str, Float[np.ndarray, " n"]]:
        """How familiar images seem to each detector, the density first."""
        error = self.pipeline.reconstruction_error(features)
        confidences = {DENSITY: self.pipeline.score_samples(features)}
        if error is not None:
            confidences |= {ERROR: -error, BOTH: self.pipeline.evidence(features)}
        confidences |= {
            name: detector.confidence(features, logits)
            for name, detector in self.detectors.items()
            if logits is not None or not detector.needs_logits
        }
        return {name: values.numpy() for name, values in confidences.items()}


def fit_round(
    known: KnownImages,
    roles: Roles,
    settings: PipelineSettings,
    detectors: Mapping[str, Detector],
    seed: int,
) -> Round:
    """Fits the density and all detectors to the images of a round, and sets the threshold."""
    pipeline = fit_in_roles(
        roles,
        fit=lambda fitted: DensityPipeline(settings, seed).fit(
            known.features[fitted], known.labels[fitted]
        ),
        calibrate=lambda pipeline, held_out: pipeline.calibrate(known.features[held_out]),
        fit_folds=lambda fitted, folds: DensityPipeline(settings, seed).fit_folds(
            known.features[fitted], folds, known.labels[fitted]
        ),
    )
    return Round(roles, pipeline, fit_detectors(known, roles, detectors))


def fit_detectors(
    known: KnownImages, roles: Roles, detectors: Mapping[str, Detector]
) -> dict[str, Detector]:
    """Copies of the detectors, fitted to the images of a round where the logits allow it."""
    copies = {name: deepcopy(detector) for name, detector in detectors.items()}
    logits = known.logits_at(roles.fitted)
    for detector in copies.values():
        if logits is not None or not detector.needs_logits:
            detector.fit(known.features[roles.fitted], logits, known.labels[roles.fitted])
    return copies
