"""What one call of ``density`` asks, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cellxai.density.detectors import DEFAULT_DETECTORS, Detector
from cellxai.density.settings import PipelineSettings, PlaceSettings
from cellxai.density.strangers import StrangerSettings


@dataclass(frozen=True)
class DensityQuestion:
    """What is fitted to known images, and what is asked of it.

    Args:
        pipeline: From features to a verdict.
        strangers: What should seem unfamiliar.
        folds: Number of folds in which each image is judged in turn; ``None`` where the parts of
            the images say who fits, sets the threshold and is judged.
        detectors: Detectors to compare with, by name.
        places: A second density, of single places; ``None`` for none.
        seed: Seed of the mixture's starts, the folds and the corruptions.
    """

    pipeline: PipelineSettings = PipelineSettings()
    strangers: StrangerSettings = StrangerSettings()
    folds: int | None = None
    detectors: Mapping[str, Detector] = field(default_factory=lambda: DEFAULT_DETECTORS)
    places: PlaceSettings | None = None
    seed: int = 0
