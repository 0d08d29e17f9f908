"""Distances from the classes in units of their common spread."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.detectors.base import Detector
from cellxai.density.detectors.gaussian import Gaussian, gaussian, shrinkage


class Mahalanobis(Detector):
    """Less the squared distance from the nearest class: Lee et al. (2018), arXiv:1807.03888.

    All classes share one covariance, shrunken as :func:`shrunken_covariance` says.
    """

    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Learns the means of the classes and their common covariance."""
        self.classes_ = class_means(features, labels)

    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """See :meth:`Detector.confidence`."""
        return -self.classes_.nearest(features)


class RelativeMahalanobis(Detector):
    """The same less the distance from all classes as one: Ren et al. (2021), arXiv:2106.09022.

    Directions in which known images differ anyhow then count for nothing; made for near strangers.
    Both covariances are shrunken by the same share: by shares of their own, a direction that no
    image has may be wider within the classes than among all images, and far strangers pass.
    """

    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Learns the classes as :class:`Mahalanobis` does, and one Gaussian of all."""
        self.classes_ = class_means(features, labels)
        mean = features.mean(0)
        self.background_ = gaussian(mean, features - mean, self.classes_.share)

    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """See :meth:`Detector.confidence`."""
        return self.background_.squared_distance(features) - self.classes_.nearest(features)


@dataclass(frozen=True)
class ClassMeans:
    """Means of classes that share one covariance.

    Args:
        white: The means in coordinates in which the covariance is the identity.
        shape: The first class with the covariance.
        share: By which that is shrunken.
    """

    white: Float[Tensor, "c f"]
    shape: Gaussian
    share: Float[Tensor, ""]

    def nearest(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Squared distance from the nearest class."""
        # By differences: of squares multiplied out, short distances are what rounding leaves.
        distances = torch.cdist(
            self.shape.white(features), self.white, compute_mode="donot_use_mm_for_euclid_dist"
        )
        return distances.amin(1).square()


def class_means(features: Float[Tensor, "n f"], labels: Int[Tensor, " n"]) -> ClassMeans:
    """The means of the classes and the covariance about them."""
    names, places = labels.unique(return_inverse=True)
    means = torch.stack([features[labels == name].mean(0) for name in names])
    deviations = features - means[places]
    share = shrinkage(deviations)
    shape = gaussian(means[0], deviations, share)
    return ClassMeans(shape.white(means), shape, share)
