"""Images of a data set that show the same, found in its files or in prepared pixels."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float16, UInt8
from torch import Tensor

from cellxai.data.dealing import unit_name
from cellxai.data.formats.stack import Stack
from cellxai.data.image_formats import AS_STORED, read_pixels
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.pixels.near_copies import (
    SIDE,
    NearCopy,
    detail_of,
    find_near_copies,
    group_copies,
)
from cellxai.data.records import Fault, Record
from cellxai.data.splits import PARTS

MOST_NAMED = 3  # pairs in a line; there may be thousands
Details = Float16[np.ndarray, "n side side"]


@dataclass(frozen=True)
class PartedCopy:
    """Two images of different sets that show the same.

    Args:
        seen: The image of the set that comes first, such as the training part.
        judged: The image of the other.
        sets: Names of the two sets.
        similarity: Correlation of their detail.
    """

    seen: Record
    judged: Record
    sets: tuple[str, str]
    similarity: float

    def __str__(self) -> str:
        return (
            f"{self.judged.id} ({self.sets[1]}) of {self.seen.id} ({self.sets[0]}), correlation "
            f"{self.similarity:.2f}"
        )


def details_of_files(records: Sequence[Record], stack: Stack = AS_STORED) -> Details:
    """The detail of each image as stored; of one that cannot be read, zeros."""
    with ThreadPoolExecutor() as threads:
        return stack_details(
            list(threads.map(lambda record: detail_of_file(record, stack), records))
        )


def detail_of_file(record: Record, stack: Stack) -> Float16[np.ndarray, "side side"]:
    """The detail of an image as stored; zeros where it cannot be read."""
    try:
        return detail_of(read_pixels(record, stack))
    except (ValueError, OSError):
        return np.zeros((SIDE, SIDE), np.float16)


def details_of_pictures(pictures: UInt8[Tensor, "n p h w"]) -> Details:
    """The detail of prepared images."""
    images = (image[0] if len(image) == 1 else image.permute(1, 2, 0) for image in pictures)
    return stack_details([detail_of(image.numpy()) for image in images])


def stack_details(details: Sequence[Float16[np.ndarray, "side side"]]) -> Details:
    """The details of any number of images in one array."""
    return np.stack(details) if details else np.zeros((0, SIDE, SIDE), np.float16)


def copies_between(sets: Mapping[str, tuple[Sequence[Record], Details]]) -> list[PartedCopy]:
    """Pairs of images of different sets that show the same, an image of a later set but once.

    Args:
        sets: Images and their details by the name of the set.
    """
    names = [name for name, (records, _) in sets.items() for _ in records]
    records = [record for records, _ in sets.values() for record in records]
    if not records:
        return []
    parted: dict[int, PartedCopy] = {}
    for copy in find_near_copies(np.concatenate([details for _, details in sets.values()])):
        pair = names[copy.first], names[copy.second]
        known = parted.get(copy.second)
        if pair[0] != pair[1] and (known is None or known.similarity < copy.similarity):
            parted[copy.second] = PartedCopy(
                records[copy.first], records[copy.second], pair, copy.similarity
            )
    return [parted[place] for place in sorted(parted)]


def note_copies(images: CellImages) -> list[Fault]:
    """A line where images of one part show the same as images of another."""
    sets = {
        part: (images.records(part), details_of_pictures(images.images(part))) for part in PARTS
    }
    copies = copies_between(sets)
    if not copies:
        return []
    what = (
        f"{describe_copies(copies)}; what they are judged by may have been learnt by heart; "
        "split.keep_copies_together=true keeps such images in one part"
    )
    return [Fault("near copies in different parts", what)]


def describe_copies(copies: Sequence[PartedCopy]) -> str:
    """How many there are, and the first of them."""
    first = "; ".join(map(str, copies[:MOST_NAMED]))
    more = f"; and {len(copies) - MOST_NAMED} more" if len(copies) > MOST_NAMED else ""
    return f"{len(copies)} image{'' if len(copies) == 1 else 's'}: {first}{more}"


def with_copies_grouped(records: Sequence[Record], stack: Stack = AS_STORED) -> list[Record]:
    """The records, copies in one group; groups that share a copy are one."""
    copies = find_near_copies(details_of_files(records, stack))
    first: dict[str, int] = {}
    same_group = [
        NearCopy(first.setdefault(unit_name(record), place), place, 1.0)
        for place, record in enumerate(records)
    ]
    groups = group_copies([*copies, *same_group], len(records))
    copied = {int(groups[copy.first]) for copy in copies}
    return [
        replace(record, group=f"copies of {records[group].id}") if group in copied else record
        for record, group in zip(records, groups.tolist(), strict=True)
    ]
