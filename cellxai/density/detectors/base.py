"""What a detector of unfamiliar images is."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor


class Detector(ABC):
    """Says how familiar images are, from their features and logits: higher is more familiar.

    Subclass it in a file of your own and name it by ``class_path``. Arguments of ``__init__`` are
    kept as attributes of the same name; what ``fit`` learns ends in ``_``. Tensors are float64.
    """

    needs_logits: ClassVar[bool] = False
    """Whether it needs a classifier; it is left out where there is none, as for raw pixels."""

    @abstractmethod
    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Learns what known images are like; a second call replaces what the first one learned.

        Args:
            features: Penultimate features of known images.
            logits: The classifier's logits of the same images; ``None`` without a classifier.
            labels: The classes of the images.
        """

    @abstractmethod
    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """How familiar images are, on any scale that increases with familiarity."""


def require_logits(detector: Detector, logits: Float[Tensor, "n k"] | None) -> Float[Tensor, "n k"]:
    """Returns the logits.

    Raises:
        ValueError: If there are none.
    """
    if logits is None:
        raise ValueError(f"{type(detector).__name__} needs a classifier's logits, got None")
    return logits
