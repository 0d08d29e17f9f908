"""The density of places of a run: fitted, calibrated and judged by images in the same roles."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.data.loading.datamodule import to_batch
from cellxai.density.known_images import KnownImages
from cellxai.density.places import PlaceDensity
from cellxai.density.roles import Assignment, Roles, fit_in_roles, fit_rounds
from cellxai.density.settings import PlaceSettings
from cellxai.evaluation.intervals import wilson
from cellxai.trained.image_sets import FeatureSource, NetworkFeatures

BATCH_SIZE = 32


@dataclass(frozen=True)
class JudgedPlaceDensity:
    """A density of places, and what it says of images that neither fitted nor calibrated it.

    Args:
        density: The density that new images are scored by.
        flagged: Which of the judged images are flagged, each by a density that has not seen it.
    """

    density: PlaceDensity
    flagged: Bool[np.ndarray, " n"]

    def __str__(self) -> str:
        line, n_judged = f"least known places: {self.density.threshold}", len(self.flagged)
        if not n_judged:
            return f"{line}; no image is left to say what that does to new ones"
        return f"{line}; flagged: {self.flagged.mean():.0%} of {n_judged} judged images"

    def summary(self) -> dict[str, Any]:
        """The figures of ``summary.json``."""
        calibration, n_flagged = self.density.calibration_, int(self.flagged.sum())
        return {
            "layers": list(self.density.settings.layers),
            "threshold_nats": calibration.finite_threshold_nats,
            "percent": calibration.percent,
            "n_calibration": len(calibration.log_density),
            "n_folds": calibration.n_folds,
            "n_judged": len(self.flagged),
            "n_flagged": n_flagged,
            "interval": wilson(n_flagged, len(self.flagged)),
        }


def unfitted_place_density(
    source: FeatureSource, settings: PlaceSettings, seed: int
) -> PlaceDensity:
    """A density of places of a source's network, before it is fitted.

    Raises:
        ValueError: If there is no network, or it has no such layers.
    """
    if not isinstance(source, NetworkFeatures):
        raise ValueError(
            f"places.layers={list(settings.layers)}: raw pixels do not come from a network; leave "
            "out places, or data"
        )
    return PlaceDensity(source.trained.classifier, settings, seed)


def judge_places(
    unfitted: PlaceDensity, known: KnownImages, assignment: Assignment
) -> JudgedPlaceDensity:
    """The final density, and what those of all rounds say of the images that they judge."""
    densities, final = fit_rounds(assignment, partial(fit_places, unfitted, known))
    flagged = [
        density.threshold.flags(density.scores(image_batches(density, known, roles.judged)).numpy())
        for density, roles in zip(densities, assignment.rounds, strict=True)
    ]
    return JudgedPlaceDensity(final, np.concatenate(flagged))


def fit_places(unfitted: PlaceDensity, known: KnownImages, roles: Roles) -> PlaceDensity:
    """A density of places fitted to the images of a round, with the threshold that they set."""
    density = PlaceDensity(unfitted.model, unfitted.settings, unfitted.seed)
    images_at = partial(image_batches, density, known)
    return fit_in_roles(
        roles,
        fit=lambda fitted: density.fit(images_at(fitted), len(fitted)),
        calibrate=lambda density, held_out: density.calibrate(images_at(held_out)),
        fit_folds=lambda fitted, folds: density.fit_folds(
            lambda chosen: images_at(fitted[chosen]), folds
        ),
    )


def image_batches(
    density: PlaceDensity, known: KnownImages, indices: Int[Tensor, " m"]
) -> Iterator[Float[Tensor, "b 3 h w"]]:
    """Some of the known images as the density's network takes them."""
    for start in range(0, len(indices), BATCH_SIZE):
        pictures = known.every.pictures[indices[start : start + BATCH_SIZE]]
        yield to_batch(pictures).to(density.model.device)
