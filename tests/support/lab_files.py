"""The same stained cells in the files that labs have, each by an independent writer."""

import itertools
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from tests.support.stained import stained_cell

CHUNK = (1, 16, 16)


def write_zarr(root: Path, cyx: np.ndarray) -> None:
    """OME-Zarr 0.4 by its specification, planes in chunks of zlib."""
    array = root / "0"
    counts = [range(-(-n // size)) for n, size in zip(cyx.shape, CHUNK, strict=True)]
    for place in itertools.product(*counts):
        chunk = np.zeros(CHUNK, "<u2")
        part = cyx[tuple(slice(n * s, n * s + s) for n, s in zip(place, CHUNK, strict=True))]
        chunk[tuple(map(slice, part.shape))] = part
        path = array.joinpath(*map(str, place))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zlib.compress(chunk.tobytes()))
    described = {
        "zarr_format": 2, "shape": cyx.shape, "chunks": CHUNK, "dtype": "<u2", "order": "C",
        "compressor": {"id": "zlib"}, "filters": None, "fill_value": 0, "dimension_separator": "/",
    }  # fmt: skip
    (array / ".zarray").write_text(json.dumps(described))
    axes = [{"name": name} for name in "cyx"]
    images = [{"axes": axes, "datasets": [{"path": "0"}], "version": "0.4"}]
    (root / ".zattrs").write_text(json.dumps({"multiscales": images}))


def write_ome(path: Path, cyx: np.ndarray) -> None:
    """OME-TIFF whose XML names the axes."""
    tifffile.imwrite(path, cyx, ome=True, photometric="minisblack", metadata={"axes": "CYX"})


def write_pages(path: Path, cyx: np.ndarray) -> None:
    """A page per plane, of which nothing says what they are."""
    tifffile.imwrite(path, cyx, photometric="minisblack", metadata=None)


def write_samples(path: Path, cyx: np.ndarray) -> None:
    """One page whose pixels have a sample per plane."""
    tifffile.imwrite(
        path, cyx.transpose(1, 2, 0), photometric="minisblack", planarconfig="contig",
        metadata=None, extrasamples=[0] * (len(cyx) - 1),
    )  # fmt: skip


def write_hyperstack(path: Path, cyx: np.ndarray) -> None:
    """ImageJ's stack of three slices, of which the middle is the brightest everywhere."""
    slices = np.stack([cyx // 2, cyx, cyx // 3])
    tifffile.imwrite(path, slices, imagej=True, metadata={"axes": "ZCYX"})


def write_npy(path: Path, cyx: np.ndarray) -> None:
    """NumPy's array, of which nothing says what its axes are."""
    np.save(path, cyx)


WRITERS: dict[str, tuple[str, Callable[[Path, np.ndarray], None]]] = {
    "ome": (".ome.tif", write_ome), "zarr": (".zarr", write_zarr), "pages": (".tif", write_pages),
    "samples": (".tif", write_samples), "hyperstack": (".tif", write_hyperstack),
    "npy": (".npy", write_npy),
}  # fmt: skip
SILENT = ("pages", "npy")  # say nothing of their axes


def write_lab_files(root: Path, kind: str, per_class: int, side: int = 32) -> Path:
    """A folder per class of files of one kind; the same pixels whatever the kind."""
    random = np.random.default_rng(0)
    suffix, write = WRITERS[kind]
    for label in ("control", "treated"):
        (root / label).mkdir(parents=True)
        for number in range(per_class):
            image = stained_cell(random, label == "treated", side)
            write(root / label / f"{number:02}{suffix}", image.transpose(2, 0, 1).copy())
    return root
