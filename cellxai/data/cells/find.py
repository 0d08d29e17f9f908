"""Where the cells of a label map are."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int32, Int64
from scipy import ndimage

from cellxai.data.frames.window import Box

Instances = Literal["labels", "connected"]
INSTANCES = ("labels", "connected")
CORNERS_TOUCH = np.ones((3, 3), dtype=np.int64)


@dataclass(frozen=True)
class FoundCell:
    """A cell of a label map.

    Args:
        label: Its number.
        box: The smallest rectangle that holds it.
        area_px: Its pixels.
    """

    label: int
    box: Box
    area_px: int


def number_instances(mask: Int32[np.ndarray, "h w"], how: Instances) -> Int32[np.ndarray, "h w"]:
    """The map in which every cell has a number of its own.

    Args:
        mask: Labels, 0 where there is no cell.
        how: ``labels`` takes each label for a cell, in however many pieces; ``connected`` each
            piece of labelled pixels, whatever their labels, that touch along a side or a corner.
            Pieces are counted from 1 in the order of their first pixels, row by row.
    """
    if how == "labels":
        return mask
    numbers = np.zeros(mask.shape, dtype=np.int32)
    ndimage.label(mask != 0, CORNERS_TOUCH, output=numbers)
    return numbers


def find_cells(instances: Int32[np.ndarray, "h w"]) -> list[FoundCell]:
    """Every cell of a map, in the order of their numbers.

    By sorting the labelled pixels, because labels may be far apart: one of 2³¹ − 1 is a valid map.
    """
    places = np.flatnonzero(instances)
    if not places.size:
        return []
    values = instances.ravel()[places]
    order = np.argsort(values, kind="stable")  # of one cell, row by row
    rows, columns = np.divmod(places[order], instances.shape[1])
    labels, starts, areas = np.unique(values[order], return_index=True, return_counts=True)
    ends = starts + areas - 1
    left, right = (extreme.reduceat(columns, starts) for extreme in (np.minimum, np.maximum))
    boxes = np.stack([rows[starts], left, rows[ends] + 1, right + 1], 1)
    return build_cells(labels, boxes, areas)


def build_cells(
    labels: Int32[np.ndarray, " n"],
    boxes: Int64[np.ndarray, "n 4"],
    areas: Int64[np.ndarray, " n"],
) -> list[FoundCell]:
    """The cells of three columns."""
    columns = zip(labels.tolist(), boxes.tolist(), areas.tolist(), strict=True)
    return [FoundCell(label, Box(*box), area_px) for label, box, area_px in columns]


def window_around(box: Box, side_px: int) -> Box:
    """The square around the middle of a box; of two middles, the upper and the left one."""
    top = (box.top + box.bottom - side_px) // 2
    left = (box.left + box.right - side_px) // 2
    return Box(top, left, top + side_px, left + side_px)
