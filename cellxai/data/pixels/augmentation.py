"""The interface of augmentations of a user's own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

OWN_STREAM = 1  # apart from the steps before, which draw from the seed alone


class Augmentation(ABC):
    """A step of training beyond crop, flips and brightness.

    Subclass it in a file of your own and name it in ``transforms.augmentations``. Arguments of
    ``__init__`` are kept as attributes of the same name, so that a run folder can record them.
    """

    @abstractmethod
    def augment(
        self, image: UInt8[np.ndarray, "h w c"], random: np.random.Generator
    ) -> UInt8[np.ndarray, "h w c"]:
        """Another picture of the same class and size; the given one stays as it is.

        Args:
            image: One plane if grey, three if RGB.
            random: Whatever is random is drawn from it, so that runs can be repeated.
        """


def augment_with(
    steps: Sequence[Augmentation], image: UInt8[np.ndarray, "h w c"], seed: int
) -> UInt8[np.ndarray, "h w c"]:
    """The image after all steps, which draw from one stream in their order.

    Raises:
        ValueError: If a step returns anything but 8-bit pixels of the same size; names it.
    """
    random = np.random.default_rng([seed, OWN_STREAM])
    for step in steps:
        changed = step.augment(image, random)
        if changed.dtype != np.uint8 or changed.shape != image.shape:
            raise ValueError(
                f"{type(step).__name__} returned {changed.dtype} of shape {changed.shape}, "
                f"expected uint8 of shape {image.shape}"
            )
        image = changed
    return image
