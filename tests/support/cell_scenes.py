"""Images with label maps on disk, of which every crop can be written down by slicing."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from cellxai.data.masks.label_maps import mask_loader
from cellxai.data.records import Record, Scan, Source


class Scenes(Source):
    """Records that a test made."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records

    def scan(self) -> Scan:
        """The records, sound."""
        return Scan(tuple(self.records))


def write_scene(
    folder: Path, name: str, mask: np.ndarray, pixels: np.ndarray, label: str = "a"
) -> Record:
    """An image of noise and its label map of 32 bits, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    image_path, mask_path = folder / f"{name}.png", folder / f"{name}_mask.tif"
    Image.fromarray(pixels).save(image_path)
    Image.fromarray(mask.astype(np.int32)).save(mask_path)
    return Record(name, image_path, label, load_mask=mask_loader(mask_path))


def noise(shape: tuple[int, ...], seed: int = 0, most: int = 256) -> np.ndarray:
    """Grey levels that are the same for the same seed; of 16 bits where there are more than 256."""
    kind = np.uint8 if most <= 256 else np.uint16
    return np.random.default_rng(seed).integers(0, most, shape).astype(kind)


def boxes_on(shape: tuple[int, int], boxes: Mapping[int, tuple[int, int, int, int]]) -> np.ndarray:
    """A label map with a rectangle (top, left, bottom, right) for each label."""
    mask = np.zeros(shape, np.int32)
    for label, (top, left, bottom, right) in boxes.items():
        mask[top:bottom, left:right] = label
    return mask
