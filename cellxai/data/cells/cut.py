"""Cutting one cell out of its image: pixels, mask and cause, all by the same window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int32, Num, UInt8

from cellxai.data.cells.find import Instances, number_instances
from cellxai.data.corruption import SeededCorruption, corrupt_image
from cellxai.data.formats.stack import Stack
from cellxai.data.frames.kept import FRAMES, Frame
from cellxai.data.frames.reading import (
    ImagePart,
    describe_changes,
    describe_level,
    describe_pixels,
    level,
    read_frame,
)
from cellxai.data.frames.window import Box, take_window
from cellxai.data.image_formats import AS_STORED, ImageFault
from cellxai.data.masks.label_maps import path_of_mask
from cellxai.data.pixels.transforms import Transforms, resize
from cellxai.data.records import Record
from cellxai.files.identity import N_SHORT, hash_content

Neighbours = Literal["keep", "blank"]
NEIGHBOURS = ("keep", "blank")
Pixels = Num[np.ndarray, "h w *c"]


@dataclass(frozen=True)
class CellCut(ImagePart):
    """Reads the crop of one cell; called, it gives the pixels as they are stored.

    What lies beyond the image, and other cells where they are blanked, shows the level of the
    background: the median of the image's pixels outside all cells, plane by plane.

    Args:
        frame: The image that the cell is in.
        label: The number of the cell there.
        window: What is cut out; it may reach beyond the image.
        neighbours: Whether other cells are kept or blanked.
        instances: How cells are told apart in the mask.
        mask_hash: Of the label map, so that a crop by another mask is told from this one.
    """

    frame: Record
    label: int
    window: Box
    neighbours: Neighbours
    instances: Instances
    mask_hash: str

    def __call__(self) -> Pixels:
        """The crop in the pixels of the file.

        Raises:
            ImageFault: If the image or its mask cannot be read, or their sizes differ.
        """
        return self._cut(self._stored())

    @property
    def identity(self) -> str:
        """See :attr:`ImagePart.identity`."""
        window = self.window
        place = f"{window.top} {window.left} {window.bottom} {window.right}"
        return (
            f"cell {self.label} of {self.instances} {self.mask_hash} in {place}, "
            f"neighbours {self.neighbours} {describe_changes(self.frame)}"
        )

    @property
    def mask_path(self) -> Path | None:
        """See :attr:`ImagePart.mask_path`."""
        return path_of_mask(self.frame.load_mask)

    def in_8_bits(self, transforms: Transforms) -> UInt8[np.ndarray, "h w *c"]:
        """The crop of the image in 8 bits, by the levels of the whole image.

        Raises:
            ImageFault: As :meth:`__call__`, or if the rule for 16 bits refuses the image.
        """
        key = "8 bits", describe_level(transforms)
        return self._cut(
            self._frame(key, lambda: transforms.in_8_bits(self._stored(transforms.stack)["pixels"]))
        )

    def prepare(
        self,
        image_id: str,
        corruptions: Sequence[SeededCorruption],
        transforms: Transforms,
    ) -> UInt8[np.ndarray, "height width c"]:
        """What the network sees: the window of the levelled image, resized.

        A corruption spoils the window where it lies in the stored image, which is then levelled as
        ever. One that gives a window of another size leaves nowhere to put it: the corrupted crop
        is then an image by itself.

        Args:
            image_id: Of the cell; with the seed it decides what is random in a corruption.
            corruptions: What is done to the stored pixels.
            transforms: How images are prepared.

        Raises:
            ImageFault: As :meth:`in_8_bits`.
        """
        if not corruptions:
            key = "levelled", describe_level(transforms)
            frame = self._frame(
                key, lambda: level(self._stored(transforms.stack)["pixels"], transforms)
            )
        else:
            stored = self._stored(transforms.stack)["pixels"]
            inside = self.window.within(stored.shape)
            spoiled = corrupt_image(stored[inside], image_id, corruptions)
            if spoiled.shape != stored[inside].shape:
                return transforms.prepare(corrupt_image(self(), image_id, corruptions))
            pixels = stored.copy()
            pixels[inside] = spoiled
            frame = self._measure(level(pixels, transforms))
        return resize(self._cut(frame), transforms.image_size).reshape(*transforms.image_size, -1)

    def mask(self) -> Int32[np.ndarray, "h w"]:
        """The cell in its crop, and no other: 1, or the labels that its pieces have in the mask.

        Raises:
            ImageFault: If the mask cannot be read.
        """
        maps = self._maps()
        own = take_window(maps["instances"], self.window, 0) == self.label
        if self.instances == "labels":
            return own.astype(np.int32)
        return np.where(own, take_window(maps["mask"], self.window, 0), 0)

    def cause(self) -> Int32[np.ndarray, "h w"]:
        """The planted cause in the crop; nothing where the crop does not show the image.

        Raises:
            ImageFault: If the cause cannot be read.
        """
        load = self.frame.load_cause
        assert load is not None
        whole = FRAMES.get(("cause", load), lambda: Frame({"cause": load()}))["cause"]
        cause = take_window(whole, self.window, 0)
        return np.where(self._blanked(), 0, cause) if self.neighbours == "blank" else cause

    def _blanked(self) -> Bool[np.ndarray, "h w"]:
        instances = take_window(self._maps()["instances"], self.window, 0)
        return (instances != 0) & (instances != self.label)

    def _cut(self, frame: Frame) -> Pixels:
        crop = take_window(frame["pixels"], self.window, frame["background"])
        if self.neighbours == "blank":
            crop[self._blanked()] = frame["background"]
        return crop

    def _stored(self, stack: Stack = AS_STORED) -> Frame:
        return self._frame(("stored", repr(stack)), lambda: read_frame(self.frame, stack))

    def _frame(self, key: tuple[str, ...], read: Callable[[], Pixels]) -> Frame:
        whole = *key, describe_pixels(self.frame), self.instances, self.mask_hash
        return FRAMES.get(whole, lambda: self._measure(read()))

    def _measure(self, pixels: Pixels) -> Frame:
        """The image with its background, once it is known that image and mask are of one size."""
        instances = self._maps()["instances"]
        if pixels.shape[:2] != instances.shape:
            height, width = instances.shape
            raise ImageFault(
                f"{self.frame.path}: {pixels.shape[0]}×{pixels.shape[1]} pixels, but its mask has "
                f"{height}×{width}; make the mask of this image"
            )
        return Frame({"pixels": pixels, "background": median_outside(pixels, instances)})

    def _maps(self) -> Frame:
        """The label map as stored and with a number for each cell."""
        load = self.frame.load_mask
        assert load is not None

        def read() -> Frame:
            mask = load()
            if hash_mask(mask) != self.mask_hash:
                raise ImageFault(f"{self.frame.path}: its mask has changed meanwhile; start anew")
            return Frame({"mask": mask, "instances": number_instances(mask, self.instances)})

        return FRAMES.get(("maps", self.instances, self.mask_hash), read)


def hash_mask(mask: Int32[np.ndarray, "h w"]) -> str:
    """What tells a label map from others: its size and its labels."""
    return hash_content(str(mask.shape), np.ascontiguousarray(mask))[:N_SHORT]


def median_outside(pixels: Pixels, instances: Int32[np.ndarray, "h w"]) -> Num[np.ndarray, "*c"]:
    """The lower median of the pixels outside all cells, plane by plane; of all where none is.

    A level that the image has, and not the mean of two.
    """
    outside = pixels[instances == 0]
    values = outside if len(outside) else pixels.reshape(-1, *pixels.shape[2:])
    middle = np.percentile(values, 50, axis=0, method="inverted_cdf")
    return np.asarray(middle, dtype=pixels.dtype)
