"""Corruptions made on the fly, by severity, and data sets of corrupted images.

Two ways lead from a config to images that a classifier should find unfamiliar:

- ``Corrupted`` is a source like any other: all images of another source, spoiled.
- :func:`corrupt_records` spoils chosen records, such as those that a run held out: the right set to
  compare with the same images unspoiled. :func:`grade_all` makes five sets of each.

Every reader of pixels (``cellxai.data.image_formats.read_pixels``) applies what a record says, so
such records go wherever others go: into ``CellImages``, its cache, ``preview`` and ``check``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import cv2
import numpy as np
from jaxtyping import Float, Float32
from skimage.color.colorconv import hed_from_rgb, rgb_from_hed

from cellxai.data.corruption import Corruption, SeededCorruption
from cellxai.data.records import Record, Scan, Source

SEVERITIES = (1, 2, 3, 4, 5)
N_SPECKS = 8
LEAST_LIGHT = 1e-3  # a quarter of a grey level: black has no logarithm

Image = Float32[np.ndarray, "h w *c"]
OfOtherSize = Float32[np.ndarray, "height width *c"]


@dataclass(frozen=True)
class Graded(Corruption):
    """A corruption of five severities; a subclass says what ``levels`` are levels of.

    Args:
        severity: From 1, hardly to be seen, to 5, hardly to be recognised.

    Raises:
        ValueError: If there is no such severity.
    """

    severity: int = 3

    levels: ClassVar[tuple[float, ...]]

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity={self.severity}: expected 1…5 of {type(self).__name__}")

    @property
    def level(self) -> float:
        """What the severity means."""
        return self.levels[self.severity - 1]


class Rotate(Graded):
    """Turned about the middle by 10, 25, 45, 90 or 180 degrees, to a side drawn by lot.

    What turns in from outside the frame is its mirror image: black corners would give it away.
    """

    levels = (10.0, 25.0, 45.0, 90.0, 180.0)

    def corrupt(self, image: Image, random: np.random.Generator) -> Image:
        """See :meth:`Corruption.corrupt`."""
        height, width = image.shape[:2]
        angle = self.level * random.choice((-1, 1))
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
        return cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)


class Transpose(Corruption):
    """Rows become columns, as when a file is read in the wrong order of axes."""

    def corrupt(self, image: Image, random: np.random.Generator) -> OfOtherSize:
        """See :meth:`Corruption.corrupt`."""
        return np.ascontiguousarray(image.swapaxes(0, 1))  # OpenCV's takes no five planes


@dataclass(frozen=True)
class Flip(Corruption):
    """Mirrored.

    Args:
        direction: ``vertical`` puts the image upside down, ``horizontal`` swaps left and right.
    """

    direction: Literal["vertical", "horizontal"] = "vertical"

    def corrupt(self, image: Image, random: np.random.Generator) -> Image:
        """See :meth:`Corruption.corrupt`."""
        return cv2.flip(image, 0 if self.direction == "vertical" else 1)


class Darken(Graded):
    """Every pixel multiplied by 0.8, 0.65, 0.5, 0.3 or 0.15."""

    keeps_places = True
    levels = (0.8, 0.65, 0.5, 0.3, 0.15)

    def corrupt(self, image: Image, random: np.random.Generator) -> Image:
        """See :meth:`Corruption.corrupt`."""
        return image * np.float32(self.level)


class Blur(Graded):
    """Out of focus: a Gaussian of 0.2, 0.4, 0.8, 1.2 or 2 % of the shorter side.

    Of a frame of 520 rows these are standard deviations of 1 to 10 pixels.
    """

    keeps_places = True
    levels = (0.002, 0.004, 0.008, 0.012, 0.02)

    def corrupt(self, image: Image, random: np.random.Generator) -> Image:
        """See :meth:`Corruption.corrupt`."""
        sigma_px = self.level * min(image.shape[:2])
        return cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT_101)


class Noise(Graded):
    """The camera's noise: independent normal deviations of 0.02, 0.04, 0.08, 0.14 or 0.25."""

    keeps_places = True
    levels = (0.02, 0.04, 0.08, 0.14, 0.25)

    def corrupt(self, image: Image, random: np.random.Generator) -> Image:
        """See :meth:`Corruption.corrupt`."""
        return image + np.float32(self.level) * random.standard_normal(image.shape, np.float32)


class Illumination(Graded):
    """Light from one side: multiplied by 1 ± 0.15, 0.3, 0.45, 0.6 or 0.8 in opposite corners."""

    keeps_places = True
    levels = (0.15, 0.3, 0.45, 0.6, 0.8)

    def corrupt(self, image: Image, random: np.random.Generator) -> Image:
        """See :meth:`Corruption.corrupt`."""
        height, width = image.shape[:2]
        angle = random.uniform(0, 2 * np.pi)
        across = np.linspace(-1, 1, width) * np.cos(angle)
        ramp = np.linspace(-1, 1, height)[:, None] * np.sin(angle) + across
        light = 1 + self.level * ramp / np.abs(ramp).max()
        return multiply(image, light)


class Debris(Graded):
    """Eight dark specks out of focus that cover about 1, 2, 4, 7 or 12 % of the image."""

    keeps_places = True
    levels = (0.01, 0.02, 0.04, 0.07, 0.12)

    def corrupt(self, image: Image, random: np.random.Generator) -> Image:
        """See :meth:`Corruption.corrupt`."""
        height, width = image.shape[:2]
        radius_px = np.sqrt(self.level * height * width / (N_SPECKS * np.pi))
        cover = np.zeros((height, width), np.uint8)
        for _ in range(N_SPECKS):
            at = random.uniform(0, 1, 2) * (width, height)
            sides = 2 * radius_px * random.uniform(0.7, 1.3, 2)
            speck = (at.tolist(), sides.tolist(), random.uniform(0, 180))
            cv2.ellipse(cover, speck, 255, -1, cv2.LINE_AA)
        soft = cv2.GaussianBlur(cover, (0, 0), max(0.1 * radius_px, 0.5)) / 255
        return multiply(image, 1 - soft * random.uniform(0.7, 0.95))


class Crop(Graded):
    """A window of 0.9, 0.75, 0.6, 0.45 or 0.3 of both sides, anywhere: cells grow by the resize."""

    levels = (0.9, 0.75, 0.6, 0.45, 0.3)

    def corrupt(self, image: Image, random: np.random.Generator) -> OfOtherSize:
        """See :meth:`Corruption.corrupt`."""
        sides = np.array(image.shape[:2])
        window = np.maximum(np.rint(self.level * sides), 1).astype(int)
        top, left = random.integers(sides - window, endpoint=True)
        return image[top : top + window[0], left : left + window[1]]


class StainShift(Graded):
    """Haematoxylin stronger and eosin weaker by 10, 20, 35, 50 or 70 %, or the reverse, by lot.

    Colour deconvolution with the stains of Ruifrok and Johnston (2001); of RGB images.
    """

    keeps_places = True
    levels = (0.1, 0.2, 0.35, 0.5, 0.7)

    def corrupt(self, image: Image, random: np.random.Generator) -> Image:
        """See :meth:`Corruption.corrupt`.

        Raises:
            ValueError: If the image is grey.
        """
        if image.ndim == 2:
            raise ValueError(
                f"StainShift needs RGB images, got shape {image.shape}, which is grey; use Darken "
                "or Illumination instead"
            )
        stronger = self.level * random.choice((-1, 1))
        factors = np.array([1 + stronger, 1 - stronger, 1.0])
        # Not `rgb2hed`: it sets negative stains to 0, and what is neither stain changes its colour.
        stains = np.log(image.clip(LEAST_LIGHT)) @ hed_from_rgb
        return np.exp((stains * factors) @ rgb_from_hed).astype(np.float32)


@dataclass(frozen=True)
class Corrupted(Source):
    """All images of another source, corrupted when they are read; its files stay as they are.

    Ids and labels are the source's. Masks are kept where the corruption leaves pixels in place.

    Args:
        source: Where the images come from; may itself be corrupted.
        corruption: What is done to each.
        seed: With the id of an image it decides what is random.
    """

    source: Source
    corruption: Corruption
    seed: int = 0

    def scan(self) -> Scan:
        """See :meth:`Source.scan`."""
        scan = self.source.scan()
        return replace(scan, records=corrupt_records(scan.records, self.corruption, self.seed))


def corrupt_records(
    records: Sequence[Record], corruption: Corruption, seed: int = 0
) -> tuple[Record, ...]:
    """The same images, to be corrupted when they are read, after what corrupts them already."""
    step = SeededCorruption(corruption, seed)
    changed = [replace(record, corruptions=(*record.corruptions, step)) for record in records]
    if corruption.keeps_places:
        return tuple(changed)
    return tuple(replace(record, load_mask=None, load_cause=None) for record in changed)


def grade_all(corruptions: Mapping[str, Corruption]) -> dict[str, Corruption]:
    """Each corruption five times, as ``name 1`` to ``name 5``; one without severity as it is."""
    graded: dict[str, Corruption] = {}
    for name, corruption in corruptions.items():
        if isinstance(corruption, Graded):
            graded |= {f"{name} {step}": replace(corruption, severity=step) for step in SEVERITIES}
        else:
            graded[name] = corruption
    return graded


def multiply(image: Image, factors: Float[np.ndarray, "h w"]) -> Image:
    """An image with or without planes of colour times one factor per pixel."""
    return image * factors.astype(np.float32).reshape(*factors.shape, *[1] * (image.ndim - 2))
