"""Densities of rows: one shrunk Gaussian, a mixture, or the error of a reconstruction."""

from cellxai.density.densities.base import Density, FittedDensity
from cellxai.density.densities.mixture import Mixture
from cellxai.density.densities.reconstruction import ReconstructionError
from cellxai.density.densities.shrunk_gaussian import ShrunkGaussian

__all__ = ["Density", "FittedDensity", "Mixture", "ReconstructionError", "ShrunkGaussian"]
