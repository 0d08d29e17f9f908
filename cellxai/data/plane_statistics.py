"""What the pixels of an image say before any network: level, spread and sharpness of each plane."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, Num

from cellxai.data.formats.stack import Stack
from cellxai.data.frames.reading import read_frame
from cellxai.data.image_formats import AS_STORED, ImageFault
from cellxai.data.records import Record
from cellxai.files.progress_bar import progress

MANY_IMAGES = 500  # more than a few seconds of reading: show how far it is
PERCENTILES = (1, 25, 50, 75, 99)
N_NUMBERS = 3 + len(PERCENTILES)  # of a plane
MOST_PIXELS = 2**16  # of a plane whose percentiles are sorted: a grid of them


def plane_numbers(plane: Num[np.ndarray, "h w"]) -> Float[np.ndarray, " numbers"]:
    """Mean, standard deviation, percentiles and sharpness of a plane as it is stored.

    Sharpness is the mean square of the difference between neighbours in units of the variance.
    """
    levels = plane.astype(np.float32)
    step = max(1, int(np.ceil(np.sqrt(levels.size / MOST_PIXELS))))
    variance = max(float(levels.var()), 1e-12)
    slopes = [np.square(np.diff(levels, axis=axis)) for axis in (0, 1) if levels.shape[axis] > 1]
    sharpness = float(np.mean([slope.mean() for slope in slopes])) / variance if slopes else 0.0
    middle = np.percentile(levels[::step, ::step], PERCENTILES)
    return np.array([float(levels.mean()), variance**0.5, *middle.tolist(), sharpness])


def image_numbers(pixels: Num[np.ndarray, "h w *p"]) -> Float[np.ndarray, " d"]:
    """The numbers of all planes of an image, one plane after the other."""
    planes = [pixels] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    return np.concatenate([plane_numbers(plane) for plane in planes])


def read_plane_statistics(
    records: Sequence[Record], stack: Stack = AS_STORED
) -> tuple[list[Record], Float[np.ndarray, "n d"]]:
    """The numbers of each image that can be read, and its record.

    Pixels are taken as stored, since a rule that makes 8 bits of 16 would even out brightness.
    Where images have different numbers of planes, their means over the planes are taken.
    """

    def measure(record: Record) -> Float[np.ndarray, " d"] | None:
        try:
            return image_numbers(read_frame(record, stack))
        except ImageFault:
            return None

    with ThreadPoolExecutor() as threads:
        results = threads.map(measure, records)
        shown = progress(results, "measuring planes", len(records), MANY_IMAGES)
        pairs = [(r, row) for r, row in zip(records, shown, strict=True) if row is not None]
    rows = [row for _, row in pairs]
    if len({len(row) for row in rows}) > 1:
        rows = [row.reshape(-1, N_NUMBERS).mean(0) for row in rows]
    return [record for record, _ in pairs], np.stack(rows) if rows else np.empty((0, N_NUMBERS))
