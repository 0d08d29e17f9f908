"""Densities of rows: a shrunk Gaussian, one per class, a mixture, a reconstruction's error."""

from cellxai.density.densities.base import Density, FittedDensity
from cellxai.density.densities.mixture import Mixture
from cellxai.density.densities.nearest_class import NearestClass
from cellxai.density.densities.reconstruction import ReconstructionError
from cellxai.density.densities.shrunk_gaussian import ShrunkGaussian

__all__ = [
    "Density",
    "FittedDensity",
    "Mixture",
    "NearestClass",
    "ReconstructionError",
    "ShrunkGaussian",
]
