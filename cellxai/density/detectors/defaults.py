"""The detectors that ``density`` compares its own with unless a config names others."""

from collections.abc import Mapping

from cellxai.density.detectors.base import Detector
from cellxai.density.detectors.class_gaussians import ClassGaussians
from cellxai.density.detectors.classifier_confidence import Energy, MaxSoftmax
from cellxai.density.detectors.mahalanobis import Mahalanobis, RelativeMahalanobis
from cellxai.density.detectors.neighbours import NearestNeighbours
from cellxai.density.detectors.virtual_logit import VirtualLogit

DEFAULT_DETECTORS: Mapping[str, Detector] = {
    "max softmax": MaxSoftmax(),
    "energy": Energy(),
    "Mahalanobis": Mahalanobis(),
    "relative Mahalanobis": RelativeMahalanobis(),
    "Mahalanobis++": Mahalanobis(normalise=True),
    "relative Mahalanobis++": RelativeMahalanobis(normalise=True),
    "ViM": VirtualLogit(),
    "nearest neighbours": NearestNeighbours(),
    "Gaussian per class": ClassGaussians(),
}
