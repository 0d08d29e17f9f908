"""How much of an image is lost in the principal axes of known images."""

from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.detectors.base import Detector
from cellxai.density.projection import fit_projection


class Reconstruction(Detector):
    """Minus the mean squared error of PCA's reconstruction.

    Args:
        projection: Share of the variance that the axes explain, or their number from 1 on.
        standardise: Whether features are divided by their standard deviation first.
    """

    def __init__(self, projection: int | float = 0.95, standardise: bool = False) -> None:
        self.projection = projection
        self.standardise = standardise

    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Learns the principal axes."""
        self.projection_ = fit_projection(features, self.standardise, self.projection)

    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """See :meth:`Detector.confidence`."""
        return -self.projection_.error(features)
