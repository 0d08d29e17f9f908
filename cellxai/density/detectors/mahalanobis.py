"""Distances from the classes in units of their common spread."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from cellxai.density.detectors.base import Detector
from cellxai.density.detectors.gaussian import Gaussian, shrinkage, shrunken_gaussian


class Mahalanobis(Detector):
    """Minus the squared distance to the nearest class: Lee et al. (2018), arXiv:1807.03888.

    All classes share one covariance, shrunk by :func:`shrunken_covariance`.

    Args:
        normalise: Whether features are divided by their length first. Mueller and Hein (2025),
            arXiv:2505.18032 (Mahalanobis++), find that lengths differ among known images in a way
            that no Gaussian fits.
    """

    def __init__(self, normalise: bool = False) -> None:
        self.normalise = normalise

    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Learns the means of the classes and their common covariance."""
        self.classes_ = class_means(scale(features, self.normalise), labels)

    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """See :meth:`Detector.confidence`."""
        return -self.classes_.nearest(scale(features, self.normalise))


class RelativeMahalanobis(Detector):
    """The distance to all images as one class minus that to the nearest class.

    See Ren et al. (2021), arXiv:2106.09022. Directions in which known images vary anyway then do
    not count, which helps with strangers that resemble known images. Both covariances are shrunk by
    the same share. With a share for each, a direction in which no image varies could be wider
    within the classes than among all images, and far strangers would seem familiar.

    Args:
        normalise: See :class:`Mahalanobis`.
    """

    def __init__(self, normalise: bool = False) -> None:
        self.normalise = normalise

    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Learns the classes as :class:`Mahalanobis` does, and one Gaussian of all images."""
        known = scale(features, self.normalise)
        self.classes_ = class_means(known, labels)
        mean = known.mean(0)
        self.background_ = shrunken_gaussian(mean, known - mean, self.classes_.share)

    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """See :meth:`Detector.confidence`."""
        new = scale(features, self.normalise)
        return self.background_.squared_distance(new) - self.classes_.nearest(new)


@dataclass(frozen=True)
class ClassMeans:
    """Means of classes that share one covariance.

    Args:
        white: The means in coordinates in which the covariance is the identity.
        shape: A Gaussian with the shared covariance, at the mean of the first class.
        share: Shrinkage of the covariance.
    """

    white: Float[Tensor, "c f"]
    shape: Gaussian
    share: Float[Tensor, ""]

    def nearest(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Squared distance from the nearest class."""
        # From differences: with squares multiplied out, short distances would be rounding errors.
        distances = torch.cdist(
            self.shape.white(features), self.white, compute_mode="donot_use_mm_for_euclid_dist"
        )
        return distances.amin(1).square()


def scale(features: Float[Tensor, "n f"], normalise: bool) -> Float[Tensor, "n f"]:
    """The features, divided by their length where that is asked for."""
    return normalize(features, dim=1) if normalise else features


def class_means(features: Float[Tensor, "n f"], labels: Int[Tensor, " n"]) -> ClassMeans:
    """The means of the classes and the covariance about them."""
    classes, class_indices = labels.unique(return_inverse=True)
    means = torch.stack([features[labels == label].mean(0) for label in classes])
    deviations = features - means[class_indices]
    share = shrinkage(deviations)
    shape = shrunken_gaussian(means[0], deviations, share)
    return ClassMeans(shape.white(means), shape, share)
