"""Masks as COCO writes them: run lengths, plain or compressed to text, and polygons.

Runs go down the columns, background and object in turn, beginning with background, which may be
empty. (Sartorius counts starts along the rows: :mod:`cellxai.data.masks.rle`.)
"""

from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from skimage.draw import polygon

from cellxai.data.records import brief

FIRST_CHARACTER = ord("0")  # every character of the text holds six bits above it
VALUE_BITS, SIGN, MORE = 5, 0b010000, 0b100000
LONGEST_VALUE = 7  # characters: 35 bits, more than any image has pixels


def parse_segmentation(
    segmentation: Any, shape: tuple[int, int]
) -> list[Int64[np.ndarray, " runs"] | Float64[np.ndarray, "corners 2"]]:
    """The parts of an object: its run lengths, or its polygons, checked against the image.

    Raises:
        ValueError: If they are neither, or not of an image of this shape.
    """
    if isinstance(segmentation, list) and segmentation:
        return [parse_polygon(numbers, shape) for numbers in segmentation]
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        raise ValueError(
            f"segmentation {str(segmentation)[:40]!r}, expected polygons, or run lengths with size "
            "and counts"
        )
    if segmentation["size"] != list(shape):
        raise ValueError(
            f"run lengths of size {brief(segmentation['size'])}, expected {list(shape)}"
        )
    return [parse_counts(segmentation["counts"], shape[0] * shape[1])]


def pixels_of_part(
    part: Int64[np.ndarray, " runs"] | Float64[np.ndarray, "corners 2"], shape: tuple[int, int]
) -> Int64[np.ndarray, " p"]:
    """Places of the pixels of a part, counted from 0 row by row.

    A polygon holds the pixels whose centres lie within it.
    """
    if part.ndim == 2:
        rows, columns = polygon(part[:, 1] - 0.5, part[:, 0] - 0.5, shape)
    else:
        inside = np.arange(len(part)) % 2 == 1
        columns, rows = np.divmod(np.flatnonzero(np.repeat(inside, part)), shape[0])
    return rows * shape[1] + columns


def parse_counts(counts: Any, n_pixels: int) -> Int64[np.ndarray, " runs"]:
    """Run lengths given as numbers or as compressed text, checked against ``n_pixels``.

    Raises:
        ValueError: If a length is not a number from 0, or the lengths do not add up to the image.
    """
    if not isinstance(counts, (str, list)):
        raise ValueError(f"counts {brief(counts)}, expected a list of run lengths or text")
    lengths = decompress(counts) if isinstance(counts, str) else counts
    odd = [n for n in lengths if type(n) is not int or not 0 <= n <= n_pixels]
    if odd:
        raise ValueError(f"run length {brief(odd[0])}, expected whole numbers in 0…{n_pixels}")
    if sum(lengths) != n_pixels:
        raise ValueError(f"run lengths add up to {sum(lengths)}, expected {n_pixels} pixels")
    return np.array(lengths, dtype=np.int64)


def decompress(text: str) -> list[int]:
    """The run lengths in COCO's text: from the fourth, each is told by its change from two before.

    A value is spread over characters, five bits each and the lowest first; a further bit says that
    more follow, and the highest of the value's bits is its sign.

    Raises:
        ValueError: If a character is not one of the code, or the text ends within a value.
    """
    lengths: list[int] = []
    value, n_read = 0, 0
    for place, character in enumerate(text):
        code = ord(character) - FIRST_CHARACTER
        if not 0 <= code < 2 * MORE or n_read == LONGEST_VALUE:
            raise ValueError(f"character {character!r} at {place} is not part of a run length")
        value |= (code & (MORE - 1)) << (VALUE_BITS * n_read)
        n_read += 1
        if code & MORE:
            continue
        if code & SIGN:
            value -= 1 << (VALUE_BITS * n_read)
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value, n_read = 0, 0
    if n_read:
        raise ValueError(f"text of {len(text)} characters ends within a run length")
    return lengths


def parse_polygon(numbers: Any, shape: tuple[int, int]) -> Float64[np.ndarray, "corners 2"]:
    """The corners x, y of a polygon in pixels, from the outer edge of the first pixel.

    Raises:
        ValueError: If they are not pairs of numbers, fewer than three, or outside the image.
    """
    corners = corners_of(numbers)
    if len(corners) < 3:
        raise ValueError(f"a polygon of {len(corners)} corners, expected at least 3")
    height, width = shape
    # Half a pixel of grace for annotation tools that count from the centres.
    inside = (corners >= -0.5).all(1) & (corners <= (width + 0.5, height + 0.5)).all(1)
    if not inside.all():
        x, y = corners[~inside][0]
        raise ValueError(f"a polygon with a corner at {x:g}, {y:g}, outside {width}×{height}")
    return corners


def corners_of(numbers: Any) -> Float64[np.ndarray, "corners 2"]:
    """Numbers x, y, x, y, … as pairs.

    Raises:
        ValueError: If they are not such numbers.
    """
    try:
        return np.array(numbers, dtype=np.float64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"the polygon {str(numbers)[:40]!r}, expected a list of numbers x, y, x, y, …"
        ) from None
