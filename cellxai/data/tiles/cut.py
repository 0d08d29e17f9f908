"""Reading a tile of an image, decoding no more of its file than it has to."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Integer, Num
from PIL import Image

from cellxai.data.frames import tiff_windows
from cellxai.data.frames.kept import FRAMES, Frame
from cellxai.data.frames.reading import ImagePart, describe_changes, describe_pixels, read_frame
from cellxai.data.frames.tiff_windows import TIFF_SUFFIXES
from cellxai.data.frames.window import Box, take_window
from cellxai.data.image_formats import ImageFault, name_faults
from cellxai.data.masks.label_maps import KnownMask, path_of_mask
from cellxai.data.memory_budget import room_for
from cellxai.data.records import MaskLoader, Record

TURNED = 5  # of the tag Orientation: from here on height and width change places
ORIENTATION = 274
MOST_LABEL = 2**31 - 1


def look_at(frame: Record) -> tuple[tuple[int, int], bool]:
    """Height and width of an image, and whether windows of its file can be read by themselves.

    Raises:
        ImageFault: If the image cannot be read at all.
    """
    if frame.load_image is not None or frame.corruptions:
        return size_of(read_frame(frame)), False
    if frame.path.suffix.lower() in TIFF_SUFFIXES:
        try:
            return tiff_windows.read_shape(frame.path), True
        except ImageFault as fault:
            return size_of_whole(frame, fault), False
    with name_faults(frame.path), Image.open(frame.path) as image:
        width, height = image.size
        is_turned = image.getexif().get(ORIENTATION, 1) >= TURNED
    return (size_of(read_frame(frame)) if is_turned else (height, width)), False


def size_of_whole(frame: Record, fault: ImageFault) -> tuple[int, int]:
    """Height and width of an image that is read whole, for no window of it can be.

    Raises:
        ImageFault: Why no window can be read, if the image cannot, either.
    """
    try:
        return size_of(read_frame(frame))
    except ImageFault:
        raise fault from None


def size_of(pixels: Integer[np.ndarray, "h w *c"]) -> tuple[int, int]:
    """Height and width of an image."""
    return pixels.shape[0], pixels.shape[1]


@dataclass(frozen=True)
class TileCut(ImagePart):
    """Reads a tile; called, it gives the pixels as they are stored.

    Args:
        frame: The image that it is a part of.
        window: Where it lies; within the image.
        shape: Height and width of the image, to notice another one.
        is_windowed: Whether windows of its file are read, and not the whole.
    """

    frame: Record
    window: Box
    shape: tuple[int, int]
    is_windowed: bool

    def __call__(self) -> Num[np.ndarray, "h w *c"]:
        """The pixels in the window.

        Raises:
            ImageFault: If they cannot be read.
        """
        if self.is_windowed:
            height, width = self.window.shape
            with room_for(height * width):
                pixels = tiff_windows.read_window(self.frame.path, self.window)
            if pixels.dtype not in (np.uint8, np.uint16):
                raise ImageFault(
                    f"{self.frame.path}: pixels of type {pixels.dtype}, expected 8 or 16 bits "
                    "without a sign"
                )
            return pixels
        key = "stored", describe_pixels(self.frame)
        whole = FRAMES.get(key, lambda: Frame({"pixels": read_frame(self.frame)}))["pixels"]
        return self._take(whole)

    @property
    def identity(self) -> str:
        """See :attr:`ImagePart.identity`."""
        window = self.window
        place = f"{window.top} {window.left} {window.bottom} {window.right}"
        return f"tile in {place} {describe_changes(self.frame)}"

    @property
    def mask_path(self) -> Path | None:
        """See :attr:`ImagePart.mask_path`."""
        return path_of_mask(self.frame.load_mask)

    def labels(self, load: MaskLoader) -> Int32[np.ndarray, "h w"]:
        """What a label map of the whole image shows in the window.

        Raises:
            ImageFault: If it cannot be read, or is of another size.
        """
        path = path_of_mask(load)
        if path is None or path.suffix.lower() not in TIFF_SUFFIXES:
            whole = FRAMES.get(("labels", load), lambda: Frame({"labels": load()}))
            return self._take(whole["labels"])
        if (size := tiff_windows.read_shape(path)) != self.shape:
            raise self._other_size(size)
        labels = tiff_windows.read_window(path, self.window)
        if labels.ndim != 2 or labels.min() < 0 or labels.max() > MOST_LABEL:
            raise ImageFault(f"{path}: no map of labels in 0…{MOST_LABEL} in one plane")
        return labels.astype(np.int32)

    def _take(self, whole: Integer[np.ndarray, "h w *c"]) -> Integer[np.ndarray, "height width *c"]:
        if whole.shape[:2] != self.shape:
            raise self._other_size(whole.shape[:2])
        return take_window(whole, self.window, 0)

    def _other_size(self, size: tuple[int, ...]) -> ImageFault:
        return ImageFault(
            f"{self.frame.path}: {size[0]}×{size[1]} pixels, expected {self.shape[0]}×"
            f"{self.shape[1]} as when its tiles were listed"
        )


def tile_record(frame: Record, image_id: str, cut: TileCut) -> Record:
    """The record of a tile: what its image has, and the labels that lie in it."""
    cause = frame.load_cause
    return replace(
        frame, id=image_id, group=frame.id if frame.group is None else frame.group,
        corruptions=(), load_image=cut,
        load_mask=None if frame.load_mask is None else part_of_mask(frame.load_mask, cut),
        load_cause=None if cause is None else lambda: cut.labels(cause),
    )  # fmt: skip


def part_of_mask(load: MaskLoader, cut: TileCut) -> MaskLoader:
    """Reads what a mask shows in a tile; known before it is read if the mask is."""
    if not isinstance(load, KnownMask):
        return lambda: cut.labels(load)
    return KnownMask(lambda: cut.labels(load), lambda: f"{load.identify()} {cut.identity}")
