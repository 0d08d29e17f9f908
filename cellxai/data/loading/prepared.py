"""Decoding and preparing the images of a part, once a run or once for many runs."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from cellxai.data.image_formats import ImageFault
from cellxai.data.loading.cache import Kept, cache_key, open_cached, write_cached
from cellxai.data.memory_budget import room_to_decode
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.record_pixels import prepare_record
from cellxai.data.records import Fault, Record
from cellxai.files.progress_bar import progress

MANY_IMAGES = 500  # more than a few seconds of reading: show how far it is


@dataclass(frozen=True)
class Prepared:
    """The prepared images of a part, their records, and the files that could not be read.

    The images lie in memory, or in a file of the cache that is mapped into it.
    """

    records: tuple[Record, ...]
    images: UInt8[Tensor, "n p h w"]
    faults: tuple[Fault, ...]


def prepare_all(
    records: Sequence[Record], transforms: Transforms, cache: Path | None = None
) -> Prepared:
    """The prepared images, taken from the cache if they are there and put there if not.

    A broken file costs itself and no other.

    Args:
        records: The images.
        transforms: How they are prepared.
        cache: The folder of the cache; ``None`` keeps them in memory alone.
    """
    results = prepare_each(records, transforms)
    if cache is None:
        return pair_with_records(records, collect_in_memory(results, transforms))
    key = cache_key(records, transforms)
    kept = open_cached(cache, key) or write_cached(cache, key, results, transforms)
    return pair_with_records(records, kept)


def prepare_each(
    records: Sequence[Record], transforms: Transforms
) -> Iterator[UInt8[np.ndarray, "h w p"] | str]:
    """Each prepared image, or why it cannot be read, in order; decoded in threads."""
    with ThreadPoolExecutor() as threads:
        results = threads.map(lambda record: read_prepared(record, transforms), records)
        yield from progress(results, "reading images", len(records), MANY_IMAGES)


def collect_in_memory(
    results: Iterable[UInt8[np.ndarray, "h w p"] | str], transforms: Transforms
) -> Kept:
    """The images in one array, of length 0 where there are none."""
    images: list[UInt8[np.ndarray, "p h w"]] = []
    broken: dict[int, str] = {}
    for place, result in enumerate(results):
        if isinstance(result, str):
            broken[place] = result
        else:
            images.append(np.ascontiguousarray(result.transpose(2, 0, 1)))
    return Kept(np.stack(images) if images else np.empty((0, *transforms.shape), np.uint8), broken)


def read_prepared(record: Record, transforms: Transforms) -> UInt8[np.ndarray, "h w p"] | str:
    """What the network sees of one image, or why it sees nothing."""
    try:
        with room_to_decode(record, transforms.stack):
            return prepare_record(record, transforms)
    except ImageFault as fault:
        return str(fault)


def pair_with_records(records: Sequence[Record], kept: Kept) -> Prepared:
    """The images with their records, and a fault for each record without an image."""
    faults = [Fault(f"image {records[i].id}", what) for i, what in kept.broken.items()]
    readable = tuple(record for i, record in enumerate(records) if i not in kept.broken)
    return Prepared(readable, torch.from_numpy(kept.images), tuple(faults))


def check_any_readable(parts: Sequence[Prepared]) -> None:
    """Raises ``ValueError`` with the first fault where not one image could be read."""
    if not any(part.records for part in parts):
        faults = [fault for part in parts for fault in part.faults]
        first = f", the first: {faults[0]}" if faults else ""
        raise ValueError(f"none of {len(faults)} images can be read{first}")
