"""The density of places of a run: fitted, calibrated and judged by images in the same roles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.data.loading.datamodule import to_batch
from cellxai.density.known import Known
from cellxai.density.places import PlaceDensity
from cellxai.density.rounds import Roles
from cellxai.density.settings import PlaceSettings
from cellxai.evaluation.intervals import wilson
from cellxai.trained.image_sets import FeatureSource, NetworkFeatures

BATCH_SIZE = 32


@dataclass(frozen=True)
class FoundPlaces:
    """A density of places, and what it says of images that neither fitted nor calibrated it.

    Args:
        density: What new images are scored by.
        flagged: Which of the judged images are flagged, each by a density that has not seen it.
    """

    density: PlaceDensity
    flagged: Bool[np.ndarray, " n"]

    def __str__(self) -> str:
        told, n_judged = f"least known places: {self.density.threshold}", len(self.flagged)
        if not n_judged:
            return f"{told}; no image is left to say what that does to new ones"
        return f"{told}; flagged: {self.flagged.mean():.0%} of {n_judged} judged images"

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


def unfitted_places(source: FeatureSource, settings: PlaceSettings, seed: int) -> PlaceDensity:
    """A density of places of a source's network.

    Raises:
        ValueError: If there is no network, or it has no such layers.
    """
    if not isinstance(source, NetworkFeatures):
        raise ValueError(
            f"places.layers={list(settings.layers)}: raw pixels come of no network; leave places "
            "out, or data"
        )
    return PlaceDensity(source.trained.classifier, settings, seed)


def find_places(
    unfitted: PlaceDensity, known: Known, rounds: Sequence[Roles], final: Roles
) -> FoundPlaces:
    """The density of the final round, and what those of all rounds say of the images they judge."""
    fitted = [place_round(unfitted, known, one) for one in rounds]
    flagged = [
        density.threshold.flags(density.scores(batches(unfitted, known, one.judged)).numpy())
        for density, one in zip(fitted, rounds, strict=True)
    ]
    kept = fitted[0] if final is rounds[0] else place_round(unfitted, known, final)
    return FoundPlaces(kept, np.concatenate(flagged))


def place_round(unfitted: PlaceDensity, known: Known, roles: Roles) -> PlaceDensity:
    """The density of places that the images of a round fit, and set the threshold of."""
    density = PlaceDensity(unfitted.model, unfitted.settings, unfitted.seed)
    if len(roles.folds):
        return density.fit_folds(
            lambda places: batches(unfitted, known, roles.fitted[places]), roles.folds
        )
    density.fit(batches(unfitted, known, roles.fitted), len(roles.fitted))
    return density.calibrate(batches(unfitted, known, roles.calibrating))


def batches(
    density: PlaceDensity, known: Known, places: Int[Tensor, " m"]
) -> Iterator[Float[Tensor, "b 3 h w"]]:
    """Some of the known images as the density's network takes them."""
    for start in range(0, len(places), BATCH_SIZE):
        pictures = known.every.pictures[places[start : start + BATCH_SIZE]]
        yield to_batch(pictures).to(density.model.device)
