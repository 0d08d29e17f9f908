"""Detectors of unfamiliar images beside the density: tensors in, tensors out."""

from cellxai.density.detectors.base import Detector
from cellxai.density.detectors.class_gaussians import ClassGaussians
from cellxai.density.detectors.classifier_confidence import Energy, MaxSoftmax
from cellxai.density.detectors.defaults import DEFAULT_DETECTORS
from cellxai.density.detectors.mahalanobis import Mahalanobis, RelativeMahalanobis
from cellxai.density.detectors.neighbours import NearestNeighbours
from cellxai.density.detectors.reconstruction import Reconstruction
from cellxai.density.detectors.virtual_logit import VirtualLogit

__all__ = [
    "DEFAULT_DETECTORS",
    "ClassGaussians",
    "Detector",
    "Energy",
    "Mahalanobis",
    "MaxSoftmax",
    "NearestNeighbours",
    "Reconstruction",
    "RelativeMahalanobis",
    "VirtualLogit",
]
