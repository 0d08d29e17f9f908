"""Small files of a screen: a table of images, a file per channel, a table of CellProfiler."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from cellxai.data.readers.sartorius import Sartorius

PLATES, WELLS, SITES = ("P1", "P2", "P3", "P4", "P5", "P6"), ("A01", "A02"), (1, 2)
CHANNELS = {1: "DNA", 2: "AGP", 3: "Mito"}
SIDE = 40


def label_of(well: str) -> str:
    """The class goes by the column of the plate."""
    return "wild" if int(well[1:]) % 2 else "calm"


def draw(random: np.random.Generator, label: str) -> np.ndarray:
    """8-bit noise, with stripes in one of the classes."""
    stripes = 30 * np.sin(0.7 * np.arange(SIDE)) if label == "wild" else 0
    return (random.normal(120, 15, (SIDE, SIDE)) + stripes).clip(0, 255).astype(np.uint8)


def write_table(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Writes rows of equal columns."""
    rows = list(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_plates(folder: Path) -> None:
    """``images.csv`` with plates and wells, and ``new.csv`` of the same without classes."""
    random, rows = np.random.default_rng(0), []
    (folder / "plates").mkdir(parents=True)
    for plate, well, site in of_every_site():
        name, label = f"plates/{plate}_{well}_{site}.png", label_of(well)
        Image.fromarray(draw(random, label)).save(folder / name)
        dose = 5 * (label == "wild")
        rows.append({"path": name, "label": label, "plate": plate, "well": well, "dose": dose})
    write_table(folder / "images.csv", rows)
    write_table(folder / "new.csv", ({**row, "label": ""} for row in rows[:6]))


def write_channels(folder: Path, root: str) -> None:
    """A file per channel in a folder, ``map.csv`` with their classes, and ``Image.csv``."""
    random, rows = np.random.default_rng(1), []
    (folder / root).mkdir(parents=True)
    for plate, well, site in of_every_site():
        row: dict[str, object] = {}
        for number, name in CHANNELS.items():
            file = f"{plate}_{well}_s{site}_w{number}.tif"
            pixels = 40 * draw(random, label_of(well)).astype(np.uint16)
            tifffile.imwrite(folder / root / file, pixels)
            row |= {f"FileName_{name}": file, f"PathName_{name}": "/microscope/day1"}
        about = {"Plate": plate, "Well": well, "Site": site}
        rows.append({**row, **{f"Metadata_{name}": value for name, value in about.items()}})
    write_table(folder / "Image.csv", rows)
    map_of = [{"plate": p, "well": w, "label": label_of(w)} for p in PLATES for w in WELLS]
    write_table(folder / "map.csv", map_of)


def of_every_site() -> Iterable[tuple[str, str, int]]:
    """Plate, well and site of every image."""
    return ((plate, well, site) for plate in PLATES for well in WELLS for site in SITES)


def write_label_maps(data: Path, images: Path, masks: Path) -> None:
    """Images of a rendered data set by themselves, and label maps of their names."""
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    for record in Sartorius(data).scan().records:
        (images / record.path.name).write_bytes(record.path.read_bytes())
        assert record.load_mask is not None
        labels = record.load_mask().astype(np.uint16)
        tifffile.imwrite(masks / f"{record.path.stem}.tif", labels)
