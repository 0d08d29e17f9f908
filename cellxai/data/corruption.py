"""The interface of corruptions: what is done to pixels before anything else sees them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from zlib import crc32

import numpy as np
from jaxtyping import Float32, UInt


class Corruption(ABC):
    """Spoils an image as a microscope, a dish or a careless hand would.

    Subclass it in a file of your own and name it by ``class_path``. Arguments of ``__init__`` are
    kept as attributes of the same name, so that results and caches can be told apart by them.
    """

    keeps_places: ClassVar[bool] = False
    """Whether each pixel stays where it is, so that masks of the image still hold."""

    @abstractmethod
    def corrupt(
        self, image: Float32[np.ndarray, "h w *c"], random: np.random.Generator
    ) -> Float32[np.ndarray, "height width *c"]:
        """The spoiled image; the given one stays as it is.

        Args:
            image: As the file holds it, before CLAHE and resize. White is 1: level 255 of 8 bits;
                the brightest pixel of 16 bits, because a 12-bit camera fills a sixteenth of the
                range. [h w] if grey, [h w 3] if RGB.
            random: Everything random is drawn from it; it is seeded by the image's id.
        """


@dataclass(frozen=True)
class SeededCorruption:
    """A corruption of one set of images.

    Args:
        corruption: What is done.
        seed: With the id of an image it decides what is random; from 0.
    """

    corruption: Corruption
    seed: int = 0


def corrupt_image(
    image: UInt[np.ndarray, "h w *c"] | Float32[np.ndarray, "h w *c"],
    image_id: str,
    steps: Sequence[SeededCorruption],
) -> UInt[np.ndarray, "height width *c"] | Float32[np.ndarray, "height width *c"]:
    """An image after all steps in their order, in the type of pixels that it came in.

    Raises:
        ValueError: If a step returns anything but an image of as many planes; names the step.
    """
    for position, step in enumerate(steps):
        white = white_of(image)
        # No identity (cellxai.files.identity): the sum only seeds, and another one would change all
        # corrupted images.
        random = np.random.default_rng([step.seed, crc32(image_id.encode()), position])
        changed = step.corruption.corrupt(image.astype(np.float32) / np.float32(white), random)
        check_planes(step.corruption, changed, image.shape)
        scaled = changed.clip(0, 1) * white
        image = (scaled if image.dtype.kind == "f" else np.rint(scaled)).astype(image.dtype)
    return image


def white_of(image: UInt[np.ndarray, "h w *c"] | Float32[np.ndarray, "h w *c"]) -> int | float:
    """The level that is white to a corruption: 255 of 8 bits, else the brightest pixel.

    Of fractions, too: what is darker than 0 there becomes 0.
    """
    if image.dtype == np.uint8:
        return 255
    if image.dtype.kind == "f":
        return float(image.max()) if image.max() > 0 else 1.0
    return max(int(image.max()), 1)


def check_planes(
    corruption: Corruption, changed: Float32[np.ndarray, "..."], shape: tuple[int, ...]
) -> None:
    """Refuses an image that has other planes than ``shape``, or pixels that are not finite.

    Raises:
        ValueError: Naming the corruption.
    """
    if changed.ndim != len(shape) or changed.shape[2:] != shape[2:] or not changed.size:
        raise ValueError(
            f"{type(corruption).__name__} returned shape {changed.shape} for an image of "
            f"{shape}, expected as many planes"
        )
    if not np.isfinite(changed).all():
        raise ValueError(f"{type(corruption).__name__} returned NaN or infinity, expected 0…1")
