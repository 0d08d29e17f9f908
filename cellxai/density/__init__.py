"""Does a classifier know an image at all? Mixtures of features, and the detectors beside them.

``density`` is the verb; the other names are its parts, usable on any features.
"""

from cellxai.density.detectors import Detector
from cellxai.density.pipeline import DensityPipeline
from cellxai.density.settings import PipelineSettings
from cellxai.density.verb import Density, density, density_of_run

__all__ = [
    "Density",
    "DensityPipeline",
    "Detector",
    "PipelineSettings",
    "density",
    "density_of_run",
]
