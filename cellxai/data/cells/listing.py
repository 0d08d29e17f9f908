"""The cells of many masks, kept between scans: masks that have not changed are not read again.

The list is found by its key, a hash of all masks' identities in order and of the code that finds
cells, as the cache of pixels is found by its own. Masks of a reader that does not say what tells
them from others (:class:`cellxai.data.masks.label_maps.KnownMask`) are read in every scan.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from cellxai.data.cells import find
from cellxai.data.cells.cut import hash_mask
from cellxai.data.cells.find import FoundCell, Instances, find_cells, number_instances
from cellxai.data.frames.window import Box
from cellxai.data.masks.label_maps import KnownMask
from cellxai.data.records import Fault, Record
from cellxai.files.folder import write_json
from cellxai.files.identity import hash_json, hash_source
from cellxai.files.progress_bar import progress

MANY_MASKS = 200  # more than a few seconds of reading: show how far it is


@dataclass(frozen=True)
class CellList:
    """The cells of one mask.

    Args:
        shape: Height and width of the mask in pixels.
        mask_hash: What tells it from others.
        cells: In the order of their numbers.
    """

    shape: tuple[int, int]
    mask_hash: str
    cells: tuple[FoundCell, ...]


def list_cells(
    records: Sequence[Record], instances: Instances, folder: Path | None = None
) -> list[CellList | Fault]:
    """The cells of each image, or why its mask cannot be read.

    Args:
        records: Images that all have masks.
        instances: How cells are told apart.
        folder: Where the list is kept; ``None`` for nowhere.

    Raises:
        OSError: If the folder cannot be written.
    """
    identities = [identify(record) for record in records]
    key = hash_json([instances, identities, hash_source(find)])[:32]
    known = {} if folder is None else read_list(folder / f"{key}.cells.json")

    def look(place: int) -> CellList | Fault:
        identity = identities[place]
        if identity in known:
            return known[identity]
        return read_cells(records[place], instances)

    with ThreadPoolExecutor() as threads:
        found = threads.map(look, range(len(records)))
        listed = list(progress(found, "listing cells", len(records), MANY_MASKS))
    fresh = {
        identity: cells
        for identity, cells in zip(identities, listed, strict=True)
        if identity is not None and isinstance(cells, CellList)
    }
    if folder is not None and fresh != known:
        write_list(folder / f"{key}.cells.json", fresh)
    return listed


def identify(record: Record) -> str | None:
    """What tells the mask of an image from others before it is read, if anything does."""
    return record.load_mask.identify() if isinstance(record.load_mask, KnownMask) else None


def read_cells(record: Record, instances: Instances) -> CellList | Fault:
    """The cells of an image by its mask, read."""
    assert record.load_mask is not None
    try:
        mask = record.load_mask()
    except ValueError as error:
        return Fault(f"mask of image {record.id}", str(error))
    cells = find_cells(number_instances(mask, instances))
    return CellList((mask.shape[0], mask.shape[1]), hash_mask(mask), tuple(cells))


def read_list(path: Path) -> dict[str, CellList]:
    """The cells by the identity of their mask; none where the file is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["sha256"] != hash_json(content["masks"]):
            return {}
        return {name: parse_cells(entry) for name, entry in content["masks"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def parse_cells(entry: Mapping[str, Any]) -> CellList:
    """The cells of one mask from plain values."""
    cells = (
        FoundCell(label, Box(top, left, bottom, right), area_px)
        for label, top, left, bottom, right, area_px in entry["cells"]
    )
    height, width = entry["shape"]
    return CellList((height, width), entry["mask"], tuple(cells))


def write_list(path: Path, lists: Mapping[str, CellList]) -> None:
    """Writes the cells of every mask whose identity is known, with a hash over all."""
    masks = {
        name: {
            "shape": list(of_mask.shape),
            "mask": of_mask.mask_hash,
            "cells": [[c.label, *astuple(c.box), c.area_px] for c in of_mask.cells],
        }
        for name, of_mask in lists.items()
    }
    write_json(path, {"sha256": hash_json(masks), "masks": masks})
