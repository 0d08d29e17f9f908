"""Detectors that use the classifier's logits alone: maximum softmax probability and energy."""

from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.detectors.base import Detector, require_logits


class MaxSoftmax(Detector):
    """The probability of the predicted class: Hendrycks and Gimpel (2017), arXiv:1610.02136."""

    needs_logits = True

    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Learns nothing."""

    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """See :meth:`Detector.confidence`."""
        # The logarithm still distinguishes probabilities that round to 1.
        return require_logits(self, logits).log_softmax(1).amax(1)


class Energy(Detector):
    """The negative free energy T log Σ exp(logit / T): Liu et al. (2020), arXiv:2010.03759.

    Args:
        temperature: The T of the formula.

    Raises:
        ValueError: If the temperature is not positive.
    """

    needs_logits = True

    def __init__(self, temperature: float = 1.0) -> None:
        if temperature <= 0:
            raise ValueError(f"temperature={temperature}: expected a positive number, 1 is usual")
        self.temperature = temperature

    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Learns nothing."""

    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """See :meth:`Detector.confidence`."""
        return self.temperature * (require_logits(self, logits) / self.temperature).logsumexp(1)
