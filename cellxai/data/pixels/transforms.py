"""From an image file's pixels to what the network sees, in one stated order."""

import os
import random
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, UInt, UInt8
from torch import Tensor

# Before the import, or Albumentations asks a server for its newest version: nothing here may
# reach for the network, and the version is pinned anyway.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A

from cellxai.data.formats.stack import Stack
from cellxai.data.pixels.augmentation import Augmentation, augment_with
from cellxai.data.pixels.sixteen_bit import RULES, SixteenBit, to_8_bits

CLAHE_CLIP_LIMIT = 4.0  # the source notebook's value; Albumentations draws it from 1…4 unless told
CLAHE_TILES = (8, 8)


@dataclass(frozen=True)
class Transforms:
    """What happens to an image between its file and the network.

    The first three steps are deterministic, done once, and kept as 8-bit pixels; the others are
    drawn anew for each image and epoch, in training only:

    1. 8 bits by ``sixteen_bit`` where the file has more; then one grey plane (ITU-R BT.601 weights
       of colour), or three planes RGB;
    2. CLAHE at full resolution, clip limit 4.0, 8×8 tiles; of RGB, on the lightness of CIE LAB;
    3. resize to ``image_size``, by area where both sides shrink and linearly otherwise; the sides
       are scaled separately, so a size of other proportions squeezes the image;
    4. a random crop;
    5. flips;
    6. CLAHE once more, of what is left of the image;
    7. brightness;
    8. augmentations of your own.

    CLAHE comes before the resize because its tiles then see the noise and the contrast that the
    microscope gave; the other order differs by several grey levels.

    Args:
        image_size: Height and width after the resize, in pixels.
        crop: Side of the random square that training sees, in pixels after the resize; ``None``
            for the whole image. Validation always sees the whole image.
        colour: ``grey`` for one plane, ``rgb`` for three.
        clahe: Whether to equalise the local contrast.
        sixteen_bit: What becomes of 16-bit pixels. ``percentile`` stretches each image between its
            own ``percentiles``, which shows 12-bit cameras, too, and gives up brightness as a
            difference between images; ``full`` divides all images by ``full_scale``; ``refuse``
            leaves such images out and reports them. Where an image's percentiles are one level its
            extremes take their place, and an image of a single level becomes mid-grey.
        percentiles: Shares of the pixels, in percent, at or below the levels that become 0 and 255.
        full_scale: The level that becomes 255: 65535, or 4095 of a 12-bit camera. An image with a
            pixel above it is left out and reported.
        horizontal_flip: Probability of a left-right flip.
        vertical_flip: Probability of an upside-down flip.
        random_clahe: Probability of step 6, as an augmentation: networks that are to bear images of
            unequal contrast. By the tensor pipeline of grey images only.
        brightness: Largest shift up or down, as a share of the full scale of 255.
        augmentations: Steps of your own in training, in this order.
        stack: Which picture is taken of a file of several: axes, slices, time point, series.

    Raises:
        ValueError: If a size is not positive, the crop is larger than the image, a probability or
            share is outside 0…1, or the rule for 16 bits cannot be followed.
    """

    image_size: tuple[int, int] = (224, 224)
    crop: int | None = None
    colour: Literal["grey", "rgb"] = "grey"
    clahe: bool = True
    sixteen_bit: SixteenBit = "percentile"
    percentiles: tuple[float, float] = (0.1, 99.9)
    full_scale: int = 65535
    horizontal_flip: float = 0.5
    vertical_flip: float = 0.5
    random_clahe: float = 0.0
    brightness: float = 0.1
    augmentations: list[Augmentation] = field(default_factory=list)
    stack: Stack = Stack()

    def __post_init__(self) -> None:
        if min(self.image_size) < 1:
            raise ValueError(f"image_size={self.image_size}: expected a positive height and width")
        if self.crop is not None and not 1 <= self.crop <= min(self.image_size):
            raise ValueError(
                f"crop={self.crop} does not fit into image_size={self.image_size}; "
                f"pass 1…{min(self.image_size)}, or a larger image_size"
            )
        if self.colour not in ("grey", "rgb"):
            raise ValueError(f"colour={self.colour!r}: expected 'grey' or 'rgb'")
        for name in ("horizontal_flip", "vertical_flip", "random_clahe", "brightness"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected a value in 0…1")
        if self.sixteen_bit not in RULES:
            raise ValueError(f"sixteen_bit={self.sixteen_bit!r}: expected {', '.join(RULES)}")
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise ValueError(f"percentiles={self.percentiles}: expected two rising ones in 0…100")
        if not 1 <= self.full_scale <= 65535:
            raise ValueError(f"full_scale={self.full_scale}: expected a level in 1…65535")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, height and width of a prepared image."""
        return (1 if self.colour == "grey" else 3, *self.image_size)

    def prepare(
        self, image: UInt[np.ndarray, "h w *p"] | Float32[np.ndarray, "h w *p"]
    ) -> UInt8[np.ndarray, "height width c"]:
        """Steps 1 to 3: the image that validation sees, one plane for grey and three for RGB.

        Raises:
            ImageFault: If the image has 16 bits and the rule for them refuses it.
        """
        planes = convert_colour(self.as_8_bits(image), self.colour)
        if self.clahe:
            planes = equalise(planes)
        resized = resize(planes, self.image_size)
        return resized.reshape(*self.image_size, -1)

    def as_8_bits(
        self, image: UInt[np.ndarray, "h w *p"] | Float32[np.ndarray, "h w *p"]
    ) -> UInt8[np.ndarray, "h w *p"]:
        """An image as it is if it has 8 bits, and by the rule for 16 bits otherwise.

        Raises:
            ImageFault: If the rule refuses it.
        """
        if image.dtype == np.uint8:
            return image
        return to_8_bits(image, self.sixteen_bit, self.percentiles, self.full_scale)

    def prepare_mask(self, mask: Int32[np.ndarray, "h w"]) -> Int32[np.ndarray, "height width"]:
        """A label map brought to the geometry of :meth:`prepare`; labels are never mixed."""
        height, width = self.image_size
        # The exact variant samples at pixel centres, as the resize of the image does;
        # plain INTER_NEAREST takes top-left corners and shifts the mask by half a step.
        return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)

    def augment(
        self, image: UInt8[np.ndarray, "height width c"], seed: int
    ) -> UInt8[np.ndarray, "crop_height crop_width c"]:
        """Steps 4 to 8 of a prepared image: the same seed gives the same picture, anywhere.

        One call at a time in a process; for several at once use processes, not threads.
        """
        flips = self.horizontal_flip, self.vertical_flip
        steps = build_augmentation(self.crop, *flips, self.random_clahe, self.brightness)
        # One stream for all steps. `set_random_seed` would give each step a copy of the same
        # stream, and then an image is flipped both ways or not at all; and `seed_everything` does
        # not reach Albumentations 2.
        steps.set_random_state(np.random.default_rng(seed), random.Random(seed))
        return augment_with(self.augmentations, steps(image=image)["image"], seed)


# Kept, because building the steps takes several times as long as applying them to an image.
@lru_cache(maxsize=8)
def build_augmentation(
    crop: int | None,
    horizontal_flip: float,
    vertical_flip: float,
    random_clahe: float,
    brightness: float,
) -> A.Compose:
    """Steps 4 to 7 with the settings of :class:`Transforms`, still without a random state."""
    window = [] if crop is None else [A.RandomCrop(crop, crop)]
    flips = [A.HorizontalFlip(p=horizontal_flip), A.VerticalFlip(p=vertical_flip)]
    contrast = [build_clahe(random_clahe)] if random_clahe else []
    shift = A.RandomBrightnessContrast((-brightness, brightness), (0.0, 0.0), p=1.0)
    return A.Compose([*window, *flips, *contrast, shift])


def build_clahe(p: float) -> A.CLAHE:
    """Albumentations' CLAHE with one clip limit; by itself it would draw one between 1 and 4."""
    clip_limit = (CLAHE_CLIP_LIMIT, CLAHE_CLIP_LIMIT)
    return A.CLAHE(clip_limit=clip_limit, tile_grid_size=CLAHE_TILES, p=p)


def convert_colour(
    image: UInt[np.ndarray, "h w"] | UInt[np.ndarray, "h w 3"], colour: Literal["grey", "rgb"]
) -> UInt[np.ndarray, "h w"] | UInt[np.ndarray, "h w 3"]:
    """The image as one grey plane, or as RGB with equal planes where it was grey."""
    if colour == "grey" and image.ndim == 3:
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if colour == "rgb" and image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=-1)
    return image


def equalise(
    image: UInt8[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"],
) -> UInt8[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"]:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994), never drawn at random."""
    return build_clahe(1.0)(image=image)["image"]


def resize(
    image: UInt8[np.ndarray, "h w *c"], size: tuple[int, int]
) -> UInt8[np.ndarray, "height width *c"]:
    """The image at ``size`` (height, width), without aliasing where it shrinks."""
    height, width = size
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=interpolation)


def to_tensor(image: UInt8[np.ndarray, "h w c"]) -> Float[Tensor, "3 h w"]:
    """Channels-first float in [0, 1]; a grey plane is repeated, for networks expect three."""
    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
    return planes.float().div_(255).expand(3, -1, -1)


def augmentation_seed(seed: int, epoch: int, index: int) -> int:
    """What :meth:`Transforms.augment` draws from for one image in one epoch, wherever it runs."""
    return int(np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0])
