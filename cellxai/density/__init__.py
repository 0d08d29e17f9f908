"""Does a classifier know an image at all? Mixtures of features, and the detectors beside them.

These names are usable on any features; the verb is in ``verb``, which brings the networks with it.
"""

from cellxai.density.detectors import Detector
from cellxai.density.pipeline import DensityPipeline
from cellxai.density.settings import PipelineSettings

__all__ = ["DensityPipeline", "Detector", "PipelineSettings"]
