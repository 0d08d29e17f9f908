"""From an image file's pixels to what the network sees, in one stated order."""

import random
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, UInt, UInt8
from torch import Tensor

from cellxai.data.formats.stack import Stack
from cellxai.data.pixels.augmentation import Augmentation, augment_with
from cellxai.data.pixels.planes import (
    Planes,
    check_colours,
    check_planes,
    count_inputs,
    plane_names,
    take_planes,
)
from cellxai.data.pixels.sixteen_bit import RULES, Levels, SixteenBit, check_levels, to_8_bits
from cellxai.data.pixels.steps import (
    build_augmentation,
    by_plane,
    convert_colour,
    equalise,
    resize,
)


@dataclass(frozen=True)
class Transforms:
    """What happens to an image between its file and the network.

    The first three steps are deterministic, done once, and kept as 8-bit pixels; the others are
    drawn anew for each image and epoch, in training only:

    1. 8 bits by ``sixteen_bit`` where the file has more; then one grey plane (ITU-R BT.601 weights
       of colour), three planes RGB, or the named planes, whose colour nobody converts;
    2. CLAHE at full resolution, clip limit 4.0, 8×8 tiles; of RGB, on the lightness of CIE LAB; of
       named planes, each for itself;
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
        planes: ``grey`` for one plane, ``rgb`` for three, or the names of stains: ``[nuclei,
            actin]`` for the first planes of a file, ``{nuclei: 0, mito: 4}`` for planes at these
            places. An image that lacks one is left out and reported. Networks take a grey plane
            three times, and named planes as they are, normalised by the mean and standard
            deviation of each in the training images.
        clahe: Whether to equalise the local contrast; of named planes, the names of some too.
        sixteen_bit: What becomes of 16-bit pixels, of each named plane for itself. ``percentile``
            stretches each image between its own ``percentiles``, which shows 12-bit cameras, too,
            and gives up brightness as a difference between images; ``training`` stretches all
            images between the percentiles of the training images together, so that brightness
            stays one; ``full`` divides all images by ``full_scale``; ``refuse`` leaves such images
            out and reports them. Where an image's percentiles are one level its extremes take
            their place, and an image of a single level becomes mid-grey.
        percentiles: Shares of the pixels, in percent, at or below the levels that become 0 and 255.
        full_scale: The level that becomes 255: 65535, or 4095 of a 12-bit camera. An image with a
            pixel above it is left out and reported.
        horizontal_flip: Probability of a left-right flip.
        vertical_flip: Probability of an upside-down flip.
        random_clahe: Probability of step 6, as an augmentation: networks that are to bear images of
            unequal contrast. By the tensor pipeline not of RGB.
        brightness: Largest shift up or down, as a share of the full scale of 255.
        augmentations: Steps of your own in training, in this order.
        stack: Which picture is taken of a file of several: axes, slices, time point, series.
        levels: For ``sixteen_bit: training``, what becomes 0 and 255 in each named plane, or in
            all colours. `cellxai fit` measures and records it where it is not given.
        colour: What ``planes`` was called when it was ``grey`` or ``rgb`` alone; goes there.

    Raises:
        ValueError: If a size is not positive, the crop is larger than the image, a probability or
            share is outside 0…1, the planes have no names, or the rule for 16 bits cannot be
            followed.
    """

    image_size: tuple[int, int] = (224, 224)
    crop: int | None = None
    planes: Planes = "grey"
    clahe: bool | list[str] = True
    sixteen_bit: SixteenBit = "percentile"
    percentiles: tuple[float, float] = (0.1, 99.9)
    full_scale: int = 65535
    horizontal_flip: float = 0.5
    vertical_flip: float = 0.5
    random_clahe: float = 0.0
    brightness: float = 0.1
    augmentations: list[Augmentation] = field(default_factory=list)
    stack: Stack = Stack()
    levels: Levels | None = None
    colour: Literal["grey", "rgb"] | None = None

    def __post_init__(self) -> None:
        if self.colour is not None:
            if self.planes not in ("grey", self.colour):
                raise ValueError(
                    f"colour={self.colour!r} and planes={self.planes}: leave colour out"
                )
            object.__setattr__(self, "planes", self.colour)
            object.__setattr__(self, "colour", None)
        if min(self.image_size) < 1:
            raise ValueError(f"image_size={self.image_size}: expected a positive height and width")
        if self.crop is not None and not 1 <= self.crop <= min(self.image_size):
            raise ValueError(
                f"crop={self.crop} does not fit into image_size={self.image_size}; "
                f"pass 1…{min(self.image_size)}, or a larger image_size"
            )
        check_planes(self.planes)
        if isinstance(self.clahe, list) and not {*self.clahe} <= {*self.plane_names}:
            raise ValueError(
                f"clahe={self.clahe}: expected true, false or some of the named planes, which are "
                f"{', '.join(self.plane_names) or 'none'}"
            )
        for name in ("horizontal_flip", "vertical_flip", "random_clahe", "brightness"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected a value in 0…1")
        if self.sixteen_bit not in RULES:
            raise ValueError(f"sixteen_bit={self.sixteen_bit!r}: expected {', '.join(RULES)}")
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise ValueError(f"percentiles={self.percentiles}: expected two rising ones in 0…100")
        if not 1 <= self.full_scale <= 65535:
            raise ValueError(f"full_scale={self.full_scale}: expected a level in 1…65535")
        check_levels(self.levels, len(self.plane_names) or 1)

    @property
    def plane_names(self) -> tuple[str, ...]:
        """The names of the planes; none of grey and RGB."""
        return plane_names(self.planes)

    @property
    def n_inputs(self) -> int:
        """Planes that the network takes: a grey one comes three times."""
        return count_inputs(self.planes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, height and width of a prepared image."""
        return (1 if self.planes == "grey" else self.n_inputs, *self.image_size)

    def prepare(
        self, image: UInt[np.ndarray, "h w *c"] | Float32[np.ndarray, "h w *c"]
    ) -> UInt8[np.ndarray, "height width p"]:
        """Steps 1 to 3: the image that validation sees, a plane for grey and three for RGB.

        Raises:
            ImageFault: If the image has 16 bits and the rule for them refuses it, or other planes.
        """
        stored = self.stored_planes(image)
        if not self.plane_names:
            equalised = equalise(stored) if self.clahe else stored
            return resize(equalised, self.image_size).reshape(*self.image_size, -1)
        wanted = self.plane_names if self.clahe is True else self.clahe or ()
        planes = [
            resize(equalise(plane) if name in wanted else plane, self.image_size)
            for name, plane in zip(self.plane_names, by_plane(stored), strict=True)
        ]
        return np.stack(planes, -1)

    def in_8_bits(
        self, image: UInt[np.ndarray, "h w *c"] | Float32[np.ndarray, "h w *c"]
    ) -> UInt8[np.ndarray, "h w *c"]:
        """The image as it is stored, in 8 bits; of named planes, those alone.

        Raises:
            ImageFault: If the image has 16 bits and the rule for them refuses it, or other planes.
        """
        return self.stored_planes(image) if self.plane_names else self.as_8_bits(image)

    def stored_planes(
        self, image: UInt[np.ndarray, "h w *c"] | Float32[np.ndarray, "h w *c"]
    ) -> UInt8[np.ndarray, "h w *p"]:
        """Step 1: [h w] of grey, [h w 3] of RGB and [h w p] of named planes, in 8 bits.

        Raises:
            ImageFault: If the image has 16 bits and the rule for them refuses it, or other planes.
        """
        if isinstance(self.planes, str):
            return convert_colour(self.as_8_bits(check_colours(image, self.planes)), self.planes)
        planes = enumerate(by_plane(take_planes(image, self.planes)))
        return np.stack([self.as_8_bits(plane, place) for place, plane in planes], -1)

    def as_8_bits(
        self, image: UInt[np.ndarray, "h w *c"] | Float32[np.ndarray, "h w *c"], place: int = 0
    ) -> UInt8[np.ndarray, "h w *c"]:
        """An image as it is if it has 8 bits, and by the rule for 16 bits otherwise.

        Args:
            image: Grey, RGB, or one of the named planes.
            place: The place of that plane among the named.

        Raises:
            ImageFault: If the rule refuses it.
            ValueError: If it asks for levels that nobody has measured.
        """
        if image.dtype == np.uint8:
            return image
        levels = None if self.levels is None else self.levels[place]
        return to_8_bits(image, self.sixteen_bit, self.percentiles, self.full_scale, levels)

    def prepare_mask(self, mask: Int32[np.ndarray, "h w"]) -> Int32[np.ndarray, "height width"]:
        """A label map brought to the geometry of :meth:`prepare`; labels are never mixed."""
        height, width = self.image_size
        # The exact variant samples at pixel centres, as the resize of the image does;
        # plain INTER_NEAREST takes top-left corners and shifts the mask by half a step.
        return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)

    def augment(
        self, image: UInt8[np.ndarray, "height width p"], seed: int
    ) -> UInt8[np.ndarray, "crop_height crop_width p"]:
        """Steps 4 to 8 of a prepared image: the same seed gives the same picture, anywhere.

        One call at a time in a process; for several at once use processes, not threads.
        """
        flips, named = (self.horizontal_flip, self.vertical_flip), bool(self.plane_names)
        steps = build_augmentation(self.crop, *flips, self.random_clahe, self.brightness, named)
        # One stream for all steps. `set_random_seed` would give each step a copy of the same
        # stream, and then an image is flipped both ways or not at all; and `seed_everything` does
        # not reach Albumentations 2.
        steps.set_random_state(np.random.default_rng(seed), random.Random(seed))
        return augment_with(self.augmentations, steps(image=image)["image"], seed)


def to_tensor(image: UInt8[np.ndarray, "h w p"], n_inputs: int = 3) -> Float[Tensor, "inputs h w"]:
    """Planes-first float in [0, 1].

    Args:
        image: A prepared image.
        n_inputs: Planes that the network takes; a grey one is repeated.
    """
    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
    return planes.float().div_(255).expand(n_inputs, -1, -1)


def augmentation_seed(seed: int, epoch: int, index: int) -> int:
    """What :meth:`Transforms.augment` draws from for one image in one epoch, wherever it runs."""
    return int(np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0])
