"""Multi-plane TIFFs of invented stained cells, and a source that reads them."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tifffile

from cellxai.data.records import Record, Scan, Source

PLANES = ["nuclei", "actin", "mito", "golgi", "brightfield"]
CAUSE = 2  # the plane that holds the label


@dataclass(frozen=True)
class StainedTiffs(Source):
    """A folder per class of TIFFs with as many pages as planes."""

    root: Path

    def scan(self) -> Scan:
        paths = sorted(self.root.glob("*/*.tif"))
        return Scan(tuple(record_of(path) for path in paths))


def record_of(path: Path) -> Record:
    """The record of one file, whose pages are its planes."""
    image_id = f"{path.parent.name}_{path.stem}"
    return Record(image_id, path, path.parent.name, load_image=partial(read_pages, path))


def read_pages(path: Path) -> np.ndarray:
    """The pages as the last axis."""
    return np.moveaxis(tifffile.imread(path), 0, -1)


def stained_cell(random: np.random.Generator, treated: bool, side: int) -> np.ndarray:
    """16-bit planes [h w 5]: blobs of different brightness; treatment doubles one plane."""
    y, x = np.mgrid[:side, :side] / side
    planes = []
    for place, level in enumerate((900, 300, 2500, 120, 20000)):
        image = np.full((side, side), level / 10)
        for _ in range(4):
            cy, cx, width = *random.uniform(0.2, 0.8, 2), random.uniform(0.05, 0.12)
            gain = 2.2 if treated and place == CAUSE else 1.0
            image += gain * level * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
        planes.append(image + random.normal(0, level / 20, image.shape))
    return np.stack(planes, -1).clip(0, 65535).astype(np.uint16)


def write_stained(root: Path, per_class: int = 12, side: int = 48) -> Path:
    """Writes the folder and returns it."""
    random = np.random.default_rng(0)
    for label in ("control", "treated"):
        (root / label).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            image = stained_cell(random, label == "treated", side)
            pages = np.moveaxis(image, -1, 0)
            tifffile.imwrite(root / label / f"{number:02}.tif", pages, photometric="minisblack")
    return root
