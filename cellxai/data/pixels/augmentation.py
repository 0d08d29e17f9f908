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
        self, image: UInt8[np.ndarray, "h w p"], random: np.random.Generator
    ) -> UInt8[np.ndarray, "h w p"]:
        """Another picture of the same class and size; the given one stays as it is.

        Args:
            image: One plane if grey, three if RGB, else one per name.
            random: Whatever is random is drawn from it, so that runs can be repeated.
        """


def augment_with(
    steps: Sequence[Augmentation], image: UInt8[np.ndarray, "h w p"], seed: int
) -> UInt8[np.ndarray, "h w p"]:
    """The image after all steps, which draw from one stream in their order.

    Raises:
        ValueError: If a step returns anything but 8-bit pixels of the same size, or fails at planes
            that are neither grey nor RGB, as steps of Albumentations for photographs do; names it.
    """
    random = np.random.default_rng([seed, OWN_STREAM])
    for step in steps:
        changed = apply_step(step, image, random)
        if changed.dtype != np.uint8 or changed.shape != image.shape:
            raise ValueError(
                f"{type(step).__name__} returned {changed.dtype} of shape {changed.shape}, "
                f"expected uint8 of shape {image.shape}"
            )
        image = changed
    return image


def apply_step(
    step: Augmentation, image: UInt8[np.ndarray, "h w p"], random: np.random.Generator
) -> np.ndarray:
    """What a step makes of an image; an error at many planes is one line that says so.

    Raises:
        ValueError: If it fails at an image that has neither one plane nor three.
    """
    try:
        return step.augment(image, random)
    except Exception as error:  # whatever a user's own step, or the library below it, raises
        if image.shape[2] in (1, 3):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{type(step).__name__} does not take {image.shape[2]} planes: {reason[:200]}; leave "
            "it out of transforms.augmentations, or apply it plane by plane"
        ) from error
