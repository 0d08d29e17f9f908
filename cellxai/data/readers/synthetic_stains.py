"""The folder of stained cells that ``cellxai synthesize --stains`` writes."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import tifffile
from jaxtyping import Int32, UInt

from cellxai.data.image_formats import ImageFault
from cellxai.data.masks.label_maps import read_mask
from cellxai.data.readers.table import Manifest
from cellxai.data.records import Record, Scan, Source


@dataclass(frozen=True)
class SyntheticStains(Source):
    """Synthetic cells of several stains, with the masks of the cells and the cause by plane.

    Args:
        root: The folder: ``images.csv``, ``images``, ``masks`` and ``causes``.
    """

    root: Path

    def scan(self) -> Scan:
        """One record per image of the table.

        Raises:
            FileNotFoundError: If the folder or its table does not exist.
            ValueError: If ``synthesize`` did not write it, or the table lacks a column.
        """
        n_planes = len(read_stains(self.root))
        listed = Manifest(self.root / "images.csv").scan()
        records = tuple(self._record(record, n_planes) for record in listed.records)
        return replace(listed, records=records)

    def _record(self, record: Record, n_planes: int) -> Record:
        cause = self.root / "causes" / f"{record.path.stem}.png"
        return replace(
            record,
            id=record.path.stem,
            load_image=partial(read_planes, record.path),
            load_cause=cause_loader(cause, n_planes) if cause.is_file() else None,
        )


def read_stains(root: Path) -> list[str]:
    """Names of the planes of every image of the folder.

    Raises:
        FileNotFoundError: If there is no record of it.
        ValueError: If the record is not of stained cells.
    """
    path = root / "synthesize.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file, expected a folder made by `cellxai synthesize --stains`"
        )
    try:
        stains = json.loads(path.read_text(encoding="utf-8"))["stains"]
        return [str(stain) for stain in [*stains]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} names no stains, expected a folder made by `cellxai synthesize --stains`; "
            "phase-contrast cells are read by cellxai.data.readers.sartorius.Sartorius"
        ) from error


def read_planes(path: Path) -> UInt[np.ndarray, "h w p"]:
    """The planes of a TIFF of axes CYX.

    Raises:
        ImageFault: If the file cannot be read, or has other axes.
    """
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            if series.axes != "CYX":
                raise ImageFault(f"{path}: axes {series.axes}, expected CYX")
            stored = series.asarray()
    except (OSError, ValueError, IndexError, KeyError, tifffile.TiffFileError) as error:
        if isinstance(error, ImageFault):
            raise
        raise ImageFault(f"{path}: no TIFF that can be read ({error})") from error
    return np.ascontiguousarray(stored.transpose(1, 2, 0))


def cause_loader(path: Path, n_planes: int) -> Callable[[], Int32[np.ndarray, "h w p"]]:
    """Reads where each plane holds the cause; the file has the number of the plane, from 1."""

    def load() -> Int32[np.ndarray, "h w p"]:
        return (read_mask(path)[..., None] == np.arange(1, n_planes + 1)).astype(np.int32)

    return load
