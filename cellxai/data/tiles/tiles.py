"""One record per tile of another data set's images, however large these are."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from cellxai.data.ids import id_of_part
from cellxai.data.image_formats import ImageFault
from cellxai.data.records import Fault, Record, Scan, Source, note_blank_groups
from cellxai.data.tiles.cut import TileCut, look_at, tile_record
from cellxai.data.tiles.grid import EDGES, Edge, tile_windows
from cellxai.files.progress_bar import progress

SIDES = range(16, 8193)  # pixels
MOST_TILES = 100_000  # of an image: 650,000 × 650,000 pixels in tiles of 2048
MANY_IMAGES = 50  # more than a few seconds of reading: show how far it is


@dataclass(frozen=True)
class Tiles(Source):
    """One record per tile: a square of ``tile`` pixels of the images of a data set.

    Of a TIFF file that is stored in tiles or strips, or not compressed, only what a tile touches is
    decoded, so that an image may be larger than the memory. Other files are decoded whole, once for
    all of their tiles, up to 100 million pixels. Ids are ``<image>__tile<row>_<column>``. Tiles of
    an image are one group, which no split parts; an image that has a group passes it on.

    A tile is an image by itself: its bits are scaled by its own percentiles, and CLAHE sees it
    alone. Pass ``transforms.sixteen_bit: full`` where tiles have to be comparable in brightness.

    Args:
        source: The data set of whole images.
        tile: Side of a tile in pixels of the file.
        overlap_px: Pixels that a tile shares with the next.
        edge: What becomes of the last row and column where they would leave the image: ``shift``
            moves them back into it, so that all is seen at one scale, some of it twice; ``drop``
            leaves them out. An image smaller than a tile is one tile.
        min_variation: Tiles whose standard deviation of the grey levels is below this share of
            their mean are left out as blank; ``null`` for none. All tiles are decoded for it in
            each scan. A bright slide without tissue has some 0.01.

    Raises:
        ValueError: If a side, an overlap or a share is none, or the edge is not one of the two.
    """

    source: Source
    tile: int = 2048
    overlap_px: int = 0
    edge: Edge = "shift"
    min_variation: float | None = None

    def __post_init__(self) -> None:
        if self.tile not in SIDES:
            raise ValueError(f"tile={self.tile}: expected {SIDES[0]}…{SIDES[-1]} pixels")
        if not 0 <= self.overlap_px < self.tile:
            raise ValueError(f"overlap_px={self.overlap_px}: expected 0…{self.tile - 1}")
        if self.edge not in EDGES:
            raise ValueError(f"edge={self.edge!r}: expected {' or '.join(EDGES)}")
        if self.min_variation is not None and not self.min_variation > 0:
            raise ValueError(f"min_variation={self.min_variation}: expected above 0, or null")

    def scan(self) -> Scan:
        """One record per tile, image by image, row by row.

        Raises:
            FileNotFoundError: If the data set does not exist.
        """
        scan = self.source.scan()
        with ThreadPoolExecutor() as threads:
            listed = threads.map(self._tiles_of, scan.records)
            listed = list(progress(listed, "listing tiles", len(scan.records), MANY_IMAGES))
        tiles = [tile for found in listed if not isinstance(found, Fault) for tile in found]
        faults = [found for found in listed if isinstance(found, Fault)]
        kept = tiles if self.min_variation is None else self._with_content(tiles)
        notes = [*scan.notes, *note_blank_groups(scan.records)]
        if len(kept) < len(tiles):
            what = (
                f"{len(tiles) - len(kept)} of {len(tiles)} left out: variation below "
                f"min_variation={self.min_variation}"
            )
            notes.append(Fault("tiles", what))
        return Scan(tuple(kept), (*scan.faults, *faults), tuple(notes))

    def _tiles_of(self, frame: Record) -> list[Record] | Fault:
        where = f"image {frame.id}"
        try:
            shape, is_windowed = look_at(frame)
        except ImageFault as fault:
            return Fault(where, str(fault))
        step = self.tile - self.overlap_px
        if -(-shape[0] // step) * -(-shape[1] // step) > MOST_TILES:
            what = f"more than {MOST_TILES:,} tiles of {self.tile} pixels; pass a larger tile"
            return Fault(where, f"{shape[0]}×{shape[1]} pixels make {what}")
        windows = tile_windows(shape, self.tile, self.overlap_px, self.edge)
        return [
            tile_record(
                frame,
                id_of_part(frame.id, f"tile{row}_{column}"),
                TileCut(frame, window, shape, is_windowed),
            )
            for row, column, window in windows
        ]

    def _with_content(self, tiles: Sequence[Record]) -> list[Record]:
        """The tiles that are not blank; one that cannot be read stays, for its reader to say so."""
        assert self.min_variation is not None
        with ThreadPoolExecutor() as threads:
            measured = threads.map(variation, tiles)
            shares = list(progress(measured, "looking for blank tiles", len(tiles), MANY_IMAGES))
        pairs = zip(tiles, shares, strict=True)
        return [tile for tile, share in pairs if share is None or share >= self.min_variation]


def variation(tile: Record) -> float | None:
    """Standard deviation of the grey levels of a tile over their mean; 0 where all are 0."""
    assert tile.load_image is not None
    try:
        pixels = tile.load_image()
    except ImageFault:
        return None
    grey = pixels if pixels.ndim == 2 else pixels.mean(-1)
    mean = float(np.mean(grey))
    return float(np.std(grey)) / mean if mean else 0.0
