"""One picture of a stack: its frames are read one by one, and no more of them than it needs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from cellxai.data.formats.faults import (
    MAX_BYTES,
    MAX_DECODED,
    ImageFault,
    check_area,
    check_kind_of_number,
)
from cellxai.data.formats.stack import Stack

Frame = Shaped[np.ndarray, "h w *s"]


@dataclass(frozen=True)
class Layout:
    """One series of a file.

    Args:
        sizes: How many there are along each axis, by its letter: Y and X, and of T, C, Z and S
            those that it has.
        dtype: Of a pixel, in this machine's order of bytes.
    """

    sizes: dict[str, int]
    dtype: np.dtype

    def size(self, axis: str) -> int:
        """How many there are along an axis; 1 where it has none."""
        return self.sizes.get(axis, 1)


class StackFile(ABC):
    """An opened file of frames."""

    @property
    @abstractmethod
    def layouts(self) -> Sequence[Layout]:
        """What is known of each series before a pixel is read."""

    @abstractmethod
    def frame(self, series: int, time: int, channel: int, z: int) -> Frame:
        """The pixels [y x] or [y x s] of one frame.

        Raises:
            ImageFault: If it cannot be decoded for certain.
        """


def take_picture(file: StackFile, stack: Stack) -> Frame:
    """The picture [h w], or [h w plane] of several planes.

    Raises:
        ImageFault: If the file has several time points or series and none is named, or not the one
            that is; if the pixels have a sign or too many bits; or if it is too large.
    """
    series = choose("series", stack.series, len(file.layouts))
    layout = file.layouts[series]
    check_kind_of_number(layout.dtype)
    time = choose("time", stack.time, layout.size("T"))
    slices = choose_slices(stack.z, layout.size("Z"))
    check_size(layout, stack, len(slices))
    project = None if stack.z == "planes" else PROJECTIONS.get(stack.z, next)
    planes: list[Frame] = []
    for channel in range(layout.size("C")):
        frames = (file.frame(series, time, channel, z) for z in slices)
        planes.extend(frames if project is None else [project(frames)])
    return as_pixels(planes[0] if len(planes) == 1 else np.dstack(planes))


def choose(name: str, wanted: int | None, n: int) -> int:
    """The number of the series or time point that is read."""
    words = {"series": "series", "time": "time points"}[name]
    if wanted is None and n > 1:
        raise ImageFault(
            f"{n} {words} in one file, expected one: pass transforms.stack.{name}=0 to {n - 1}, or "
            f"data.each=[{name}] for a record of each"
        )
    number = wanted or 0
    if number >= n:
        raise ImageFault(
            f"transforms.stack.{name}={number}, but the file has {n} {words}, counted from 0"
        )
    return number


def choose_slices(z: str | int, n: int) -> Sequence[int]:
    """Numbers of the slices that are read."""
    if z == "middle":
        return [n // 2]
    if isinstance(z, str):
        return range(n)
    if z >= n:
        raise ImageFault(f"transforms.stack.z={z}, but the file has {n} slice(s), counted from 0")
    return [z]


def check_size(layout: Layout, stack: Stack, n_slices: int) -> None:
    """Refuses what would take too much memory or time, before it takes any."""
    height, width = layout.size("Y"), layout.size("X")
    if min(height, width) < 1:
        raise ImageFault(f"{width}×{height} pixels, expected at least one")
    check_area(height, width)
    samples = height * width * layout.size("C") * layout.size("S")
    decoded = samples * n_slices
    kept = (decoded if stack.z == "planes" else samples) * layout.dtype.itemsize
    if kept > MAX_BYTES or decoded > MAX_DECODED:
        raise ImageFault(
            f"{decoded:,} pixels of all planes are too many, expected at most {MAX_DECODED:,} to "
            f"decode and {MAX_BYTES:,} bytes to keep; take fewer slices, or tile it"
        )


def as_pixels(image: Frame) -> Frame:
    """Yes and no as 255 and 0, fractions as float32, one plane without an axis of its own.

    Raises:
        ImageFault: If a pixel is not a finite float32.
    """
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if image.dtype == bool:
        return image.astype(np.uint8) * 255
    if image.dtype.kind != "f":
        return np.ascontiguousarray(image)
    with np.errstate(over="ignore"):
        image = np.ascontiguousarray(image, dtype=np.float32)
    n_bad = image.size - np.count_nonzero(np.isfinite(image))
    if n_bad:
        raise ImageFault(
            f"{n_bad} pixels are NaN, infinite or beyond float32; put numbers in their place by a "
            "rule that you state"
        )
    return image


def brightest(frames: Iterator[Frame]) -> Frame:
    """The largest value of each pixel."""
    result = next(frames).copy()
    for frame in frames:
        np.maximum(result, frame, out=result)
    return result


def mean(frames: Iterator[Frame]) -> Frame:
    """The mean of each pixel in the frames' own type; whole numbers are rounded, halves to even."""
    first = next(frames)
    total: Float[np.ndarray, "h w *s"] = first.astype(np.float64)
    n = 1
    for frame in frames:
        total += frame
        n += 1
    total /= n
    return (np.rint(total) if first.dtype.kind in "bu" else total).astype(first.dtype)


PROJECTIONS: dict[str | int, Callable[[Iterator[Frame]], Frame]] = {"max": brightest, "mean": mean}
