"""Small data sets on disk, in the layouts that the readers read."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """Writes a grey image of noise that is the same for the same seed."""

    def write(path: Path, shape: tuple[int, ...] = (12, 16), seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def write_table() -> Callable[..., Path]:
    """Writes rows as a CSV file with a header."""

    def write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, columns, restval="")
            table.writeheader()
            table.writerows(rows)
        return path

    return write
