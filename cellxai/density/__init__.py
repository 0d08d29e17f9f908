"""Does a classifier know an image at all? Mixtures of features, and the detectors beside them.

These names work on any features and need no network.
"""

from cellxai.density.detectors import Detector
from cellxai.density.pipeline import DensityPipeline
from cellxai.density.settings import PipelineSettings

__all__ = ["DensityPipeline", "Detector", "PipelineSettings"]
