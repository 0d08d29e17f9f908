"""Rectangles of pixels, and what an image shows in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, which may reach beyond the image.

    Args:
        top: First row.
        left: First column.
        bottom: Row after the last.
        right: Column after the last.
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.bottom - self.top, self.right - self.left

    def within(self, shape: Sequence[int]) -> tuple[slice, slice]:
        """Its rows and columns in an image of a height and width; empty where it lies outside."""
        sides = (self.top, self.bottom, shape[0]), (self.left, self.right, shape[1])
        rows, columns = (slice(min(max(a, 0), n), min(max(b, 0), n)) for a, b, n in sides)
        return rows, columns

    def touches(self, shape: Sequence[int]) -> bool:
        """Whether it reaches the first or last row or column of an image of a height and width."""
        ends = self.bottom >= shape[0] or self.right >= shape[1]
        return self.top <= 0 or self.left <= 0 or ends


def take_window(
    image: Integer[np.ndarray, "h w *c"], window: Box, fill: Integer[np.ndarray, "*c"] | int
) -> Integer[np.ndarray, "height width *c"]:
    """A copy of what a window shows, ``fill`` where it leaves the image."""
    shown = np.empty((*window.shape, *image.shape[2:]), image.dtype)
    shown[...] = fill
    inside = window.within(image.shape)
    top, left = inside[0].start - window.top, inside[1].start - window.left
    part = image[inside]
    shown[top : top + part.shape[0], left : left + part.shape[1]] = part
    return shown
