"""What one call of ``density`` asks, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cellxai.density.detectors import DEFAULT_DETECTORS, Detector
from cellxai.density.settings import PipelineSettings
from cellxai.density.strangers import StrangerSettings


@dataclass(frozen=True)
class DensityQuestion:
    """What is learned of known images, and what is asked of it.

    Args:
        pipeline: The views of an image, and how many known images may be flagged.
        strangers: What should seem unfamiliar.
        folds: Number of folds in which each image is judged in turn; ``None`` where the parts of
            the images say who fits and who is judged.
        detectors: Detectors to compare with, by name.
        seed: Seed of whatever is random.
    """

    pipeline: PipelineSettings = PipelineSettings()
    strangers: StrangerSettings = StrangerSettings()
    folds: int | None = None
    detectors: Mapping[str, Detector] = field(default_factory=lambda: DEFAULT_DETECTORS)
    seed: int = 0
