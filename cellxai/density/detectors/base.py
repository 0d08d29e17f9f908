"""What a detector of unfamiliar images is."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor


class Detector(ABC):
    """Says how familiar images are, from their features and logits: the more, the more familiar.

    Subclass it in a file of your own and name it by ``class_path``. Arguments of ``__init__`` are
    kept as attributes of the same name; what ``fit`` learns ends in ``_``. Tensors are float64.
    """

    needs_logits: ClassVar[bool] = False
    """Whether it cannot do without a classifier, such as for raw pixels; it is left out then."""

    @abstractmethod
    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Learns what known images are like; a second call forgets the first.

        Args:
            features: Penultimate features of known images.
            logits: What the classifier says of them; ``None`` without a classifier.
            labels: Their classes.
        """

    @abstractmethod
    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """How familiar images are, on any scale that rises."""


def logits_needed(detector: Detector, logits: Float[Tensor, "n k"] | None) -> Float[Tensor, "n k"]:
    """The logits.

    Raises:
        ValueError: If there are none.
    """
    if logits is None:
        raise ValueError(f"{type(detector).__name__} needs a classifier's logits, got none")
    return logits
