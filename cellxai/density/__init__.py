"""Does a classifier know an image at all? Views of it, their densities, and detectors beside them.

These names work on any rows of numbers and need no network.
"""

from cellxai.density.detectors import Detector
from cellxai.density.pipeline import DensityPipeline
from cellxai.density.settings import PipelineSettings
from cellxai.density.views import View

__all__ = ["DensityPipeline", "Detector", "PipelineSettings", "View"]
