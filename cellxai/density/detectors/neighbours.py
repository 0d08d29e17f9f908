"""The distance to known images, without any distribution."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from cellxai.density.detectors.base import Detector


class NearestNeighbours(Detector):
    """Minus the distance to the k-th nearest known image: Sun et al. (2022), arXiv:2204.06507.

    Features are divided by their length first, which the paper finds necessary.

    Args:
        k: Which neighbour counts; the paper uses 50 for tens of thousands of images. With fewer
            than k images, the farthest one counts.

    Raises:
        ValueError: If k is below 1.
    """

    def __init__(self, k: int = 5) -> None:
        if k < 1:
            raise ValueError(f"k={k}: expected 1 or more")
        self.k = k

    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Keeps the directions of the known images."""
        self.known_ = normalize(features, dim=1)

    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """See :meth:`Detector.confidence`."""
        distances = torch.cdist(
            normalize(features, dim=1), self.known_, compute_mode="donot_use_mm_for_euclid_dist"
        )
        return -distances.kthvalue(min(self.k, len(self.known_)), dim=1).values
