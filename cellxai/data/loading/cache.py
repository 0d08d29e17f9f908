"""Prepared images kept on disk between runs: one file of pixels and one that vouches for it.

A cache is found by its key, a hash of everything that decides a pixel: path, size and time of
change of each file, in order, and what corrupts it; the settings of the preparation; the code that
does both; and the versions of the decoders. Whatever changes, another key is looked for, so nothing
stale is served. (A file that is replaced by one of equal size within the clock's resolution goes
unseen.)
"""

import inspect
import json
import math
import pkgutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import UInt8

from cellxai.data import cells, formats, frames, image_formats, joined_planes, record_pixels, tiles
from cellxai.data.frames.reading import identity_of
from cellxai.data.pixels import fractions, planes, sixteen_bit, steps
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record
from cellxai.files.config import as_config
from cellxai.files.folder import atomic, write_json
from cellxai.files.identity import describe_file, hash_content, hash_json, hash_source

DECODERS = ("pillow", "opencv-python-headless", "tifffile", "imagecodecs")
# What reads the families of formats, and the parts of images.
PACKAGES = (formats, frames, tiles, cells)
# Drawn anew in every epoch, so they leave no trace in a prepared image.
DRAWN = ("crop", "horizontal_flip", "vertical_flip", "brightness", "augmentations")


@dataclass(frozen=True)
class Kept:
    """The result of preparing a list of files.

    Args:
        images: Those that could be read, in order.
        broken: Why each of the others could not be read, by its place in the list.
    """

    images: UInt8[np.ndarray, "n p h w"]
    broken: dict[int, str]


def cache_key(records: Sequence[Record], transforms: Transforms) -> str:
    """The name under which the prepared images of these files are kept."""
    # A file of many cells is looked at once.
    files = {path: describe_file(path) for path in {record.path for record in records}}
    parts = {
        "files": [[*files[record.path], *describe_reading(record)] for record in records],
        "transforms": as_config({"kept": transforms})["kept"],
        "code": sorted(
            hash_code(kind) for kind in {type(transforms), *corruption_classes(records)}
        ),
        "decoders": [version(name) for name in DECODERS],
    }
    for name in DRAWN:
        parts["transforms"].pop(name, None)
    return hash_json(parts)[:32]


def describe_reading(record: Record) -> list[Any]:
    """What decides the pixels of a record beside its file; a corruption is seeded by the id."""
    is_plain_file = record.load_image is None and not record.corruptions
    parts: list[Any] = [] if is_plain_file else [record.id, as_config(record.corruptions)]
    if (record.series, record.time) != (None, None):
        parts.append([record.series, record.time])
    if (identity := identity_of(record)) is not None:
        parts.append(identity)
    if record.more_files:
        parts += [[*map(describe_file, record.more_files)], hash_source(joined_planes)]
    return parts


def corruption_classes(records: Sequence[Record]) -> set[type]:
    """The classes of the corruptions of any of the records."""
    return {type(step.corruption) for record in records for step in record.corruptions}


def hash_code(kind: type) -> str:
    """SHA-256 of the modules that turn a file into pixels, a user's own included.

    Raises:
        ValueError: If one of them is written in no file, so that its changes would go unseen.
    """
    modules = {inspect.getmodule(parent) for parent in kind.mro() if parent is not object}
    modules |= {image_formats, planes, sixteen_bit, steps, fractions, record_pixels}
    modules |= {module for package in PACKAGES for module in modules_of(package)}
    sources = sorted(hash_source(module) for module in modules if module)
    if "" in sources:
        raise ValueError(
            f"loading.cache: {kind.__qualname__} is written in no file, so images that it made "
            "cannot be told from others; write it into a file, or pass loading.cache=null"
        )
    return hash_json(sources)


def modules_of(package: ModuleType) -> list[ModuleType]:
    """The modules of a package."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return [import_module(f"{package.__name__}.{name}") for name in names]


def open_cached(folder: Path, key: str) -> Kept | None:
    """The images kept under a key, mapped into memory; ``None`` if there are none, or damaged.

    Every byte is read once and compared with its hash.
    """
    pixels, voucher = paths_of(folder, key)
    try:
        vouched = json.loads(voucher.read_text(encoding="utf-8"))
        kept = Kept(
            map_pixels(pixels, tuple(vouched["shape"])),
            {int(place): what for place, what in vouched["broken"].items()},
        )
        sound = vouched["sha256"] == hash_kept(kept)
    # What missing, cut and overwritten files end in.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return kept if sound else None


def map_pixels(path: Path, shape: tuple[int, ...]) -> UInt8[np.ndarray, "n p h w"]:
    """The pixels in a file.

    Raises:
        ValueError: If it has another size.
    """
    if path.stat().st_size != math.prod(shape):
        raise ValueError(f"{path}: {path.stat().st_size} bytes, expected {shape}")
    if 0 in shape:  # nothing can be mapped
        return np.empty(shape, dtype=np.uint8)
    # Pages that are written to become the process's own: the file stays as it is.
    return np.asarray(np.memmap(path, np.uint8, "c", shape=shape))


def write_cached(
    folder: Path,
    key: str,
    results: Iterable[UInt8[np.ndarray, "h w p"] | str],
    transforms: Transforms,
) -> Kept:
    """Keeps images under a key and opens them. Several processes may write the same at once.

    The images are written as they come, so that a cache may be larger than the memory.

    Args:
        folder: The cache; made if need be.
        key: From :func:`cache_key`.
        results: Each image, or why it could not be read.
        transforms: What prepared them.

    Raises:
        OSError: If the folder cannot be written or is full.
    """
    pixels, voucher = paths_of(folder, key)
    broken: dict[int, str] = {}
    n_images = 0
    with atomic(pixels) as temporary, temporary.open("wb") as file:
        for place, result in enumerate(results):
            if isinstance(result, str):
                broken[place] = result
            else:
                file.write(result.transpose(2, 0, 1).tobytes())
                n_images += 1
    kept = Kept(map_pixels(pixels, (n_images, *transforms.shape)), broken)
    vouched = {"sha256": hash_kept(kept), "shape": list(kept.images.shape), "broken": broken}
    write_json(voucher, vouched)
    return kept


def paths_of(folder: Path, key: str) -> tuple[Path, Path]:
    """The file of pixels, and the one that is written after it and vouches for it."""
    return folder / f"{key}.pixels", folder / f"{key}.json"


def hash_kept(kept: Kept) -> str:
    """SHA-256 of the images, their shape, and the reasons why others are missing."""
    broken = {str(place): what for place, what in kept.broken.items()}
    return hash_content(json.dumps([list(kept.images.shape), broken]), kept.images)
