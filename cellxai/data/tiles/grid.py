"""Where the tiles of an image lie."""

from collections.abc import Iterator
from typing import Literal

from cellxai.data.frames.window import Box

Edge = Literal["shift", "drop"]
EDGES = ("shift", "drop")


def tile_windows(
    shape: tuple[int, int], side_px: int, overlap_px: int, edge: Edge
) -> Iterator[tuple[int, int, Box]]:
    """Row, column and window of each tile, row by row.

    Where an image is smaller than a tile, the tile is as high or as wide as the image.

    Args:
        shape: Height and width of the image in pixels.
        side_px: Side of a tile.
        overlap_px: Pixels that a tile shares with the next.
        edge: What becomes of a last row or column that would leave the image: ``shift`` moves it
            back into the image, where it overlaps the one before by more; ``drop`` leaves it out.
    """
    rows, columns = (starts(side, side_px, overlap_px, edge) for side in shape)
    height, width = (min(side, side_px) for side in shape)
    for row, top in enumerate(rows):
        for column, left in enumerate(columns):
            yield row, column, Box(top, left, top + height, left + width)


def starts(length_px: int, side_px: int, overlap_px: int, edge: Edge) -> list[int]:
    """The first pixel of each tile along a side; one tile where the side is shorter than it."""
    if length_px <= side_px:
        return [0]
    step = side_px - overlap_px
    whole = list(range(0, length_px - side_px + 1, step))
    rest = length_px - side_px - whole[-1]
    return [*whole, length_px - side_px] if rest and edge == "shift" else whole
