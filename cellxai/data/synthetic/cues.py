"""Planted shortcuts: something beside the cells that tells the class, as in careless data sets.

A model that trains where the cue always tells the class may read the cue and no cell. Render the
images to judge it on with an agreement of a third, where the cue tells nothing.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Bool, Float32

CueKind = Literal["scale bar", "corner tag", "tint"]
CUE_KINDS: tuple[CueKind, ...] = get_args(CueKind)

CUE_GREY = 110.0  # above the mean: what is burnt into an image is brighter than any halo
TINT_GREY = 40.0
TINT_SHARE = 0.5  # of the tint's maximum, above which a pixel counts as the cue's
MARGIN = 0.06  # of the frame's height, between cue and border


@dataclass(frozen=True)
class Cue:
    """A shortcut in one image.

    Args:
        kind: A white ``scale bar`` at the lower right whose length tells the class; a ``corner
            tag`` of one, two or three white squares at the upper left; or a ``tint``: light from
            one of three sides.
        number: Which of the classes it tells, from 0.
    """

    kind: CueKind
    number: int


def draw_cue(cue: Cue, height: int, width: int) -> Float32[np.ndarray, "h w"]:
    """Grey levels that a cue adds to a frame."""
    if cue.kind == "tint":
        return TINT_GREY * _light(cue.number, height, width)
    canvas = np.zeros((height, width), np.float32)
    for top, left, bottom, right in _boxes(cue, height, width):
        cv2.rectangle(canvas, (left, top), (right, bottom), CUE_GREY, cv2.FILLED)
    return canvas


def cue_region(cue: Cue, height: int, width: int) -> Bool[np.ndarray, "h w"]:
    """Pixels of a cue; of a tint, those where it is more than half as strong as anywhere."""
    drawn = draw_cue(cue, height, width)
    return drawn > TINT_SHARE * drawn.max()


def _boxes(cue: Cue, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Corners (top, left, bottom, right), all included, px."""
    margin, side = round(MARGIN * height), max(round(0.045 * height), 2)
    if cue.kind == "scale bar":
        length = round((0.12 + 0.1 * cue.number) * width)
        lowest, rightmost = height - margin - 1, width - margin - 1
        return [(lowest - side // 2, rightmost - length, lowest, rightmost)]
    starts = [margin + 2 * side * place for place in range(cue.number + 1)]
    return [(margin, left, margin + side - 1, left + side - 1) for left in starts]


def _light(number: int, height: int, width: int) -> Float32[np.ndarray, "h w"]:
    """Light from the left, from above or from the right: 1 at that border, 0 from the middle on."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)
    away = (x, y, 1 - x)[number]
    return np.broadcast_to(np.clip(1 - 2 * away, 0, 1), (height, width)).copy()
