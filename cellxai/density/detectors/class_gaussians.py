"""One Gaussian per class, each with a covariance of its own."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.detectors.base import Detector
from cellxai.density.detectors.gaussian import shrunken_gaussian


class ClassGaussians(Detector):
    """log Σ π N(features; μ, C) over the classes: Mukhoti et al. (2021), arXiv:2102.11582.

    Each covariance C is shrunk by :func:`shrunken_covariance`; the paper adds a constant instead.
    """

    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Learns share, mean and covariance of each class."""
        parts = [features[labels == label] for label in labels.unique()]
        self.log_shares_ = torch.tensor([len(part) / len(features) for part in parts]).log()
        self.classes_ = [shrunken_gaussian(part.mean(0), part - part.mean(0)) for part in parts]

    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """See :meth:`Detector.confidence`."""
        densities = torch.stack([gaussian.log_density(features) for gaussian in self.classes_], 1)
        return (densities + self.log_shares_).logsumexp(1)
