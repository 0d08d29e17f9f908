"""Where the pages of a TIFF lie, walked with limits before any decoder believes a number in it.

TIFF 6.0 (1992) and BigTIFF: a header, and a chain of directories of entries of 12 or 20 bytes.
"""

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from cellxai.data.formats.faults import ImageFault, damage

MAX_PAGES = 50_000
MAX_ENTRIES = 1024  # of a directory; common ones have 20
MAX_VALUES = 2_000_000  # of an entry: as many strips or tiles
MAX_ENTRY_BYTES = 64 * 2**20  # an OME-XML of a plate has a few million
MAX_ALL_BYTES = 2**29
BYTES_OF_TYPE = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8,
    18: 8,
}  # fmt: skip
TEXT_TYPES = (1, 2, 6, 7)
# Their values are structures of one microscope, which tifffile follows through the file.
VENDORS = {
    33628: "MetaMorph (STK)", 33629: "MetaMorph (STK)", 33630: "MetaMorph (STK)",
    33631: "MetaMorph (STK)", 34118: "Zeiss SEM", 34361: "FluoView", 34362: "FluoView",
    34412: "Zeiss LSM", 34680: "FEI", 34682: "FEI", 37706: "TVIPS", 43314: "NIH Image",
    65000: "Andor", 65420: "Hamamatsu NDPI",
}  # fmt: skip


@dataclass(frozen=True)
class PageChain:
    """The pages of a TIFF.

    Args:
        offsets: Where the directory of each begins.
        n_bytes: Size of the file.
    """

    offsets: tuple[int, ...]
    n_bytes: int


@dataclass(frozen=True)
class Shapes:
    """How numbers are stored: those of the classic format or of BigTIFF, in either byte order."""

    count: str
    entry: str
    offset: str


def walk_pages(file: BinaryIO) -> PageChain:
    """The pages of a TIFF, in the order of the chain.

    Raises:
        ImageFault: If it is no TIFF, the chain is broken, circular or endless, or an entry is
            absurd, or one of a microscope's own that is not read.
    """
    size = os.fstat(file.fileno()).st_size
    shapes, offset = read_header(file)
    offsets: list[int] = []
    known: set[int] = set()
    n_bytes = 0
    while offset:
        if offset in known or len(known) == MAX_PAGES:
            what = "a circle of pages" if offset in known else f"more than {MAX_PAGES:,} pages"
            raise ImageFault(f"{what}, expected a chain that ends")
        offsets.append(offset)
        known.add(offset)
        used, offset = check_page(file, offset, shapes, size)
        n_bytes += used
        if n_bytes > MAX_ALL_BYTES:
            raise ImageFault(f"headers of more than {MAX_ALL_BYTES:,} bytes; save it anew")
    if not offsets:
        raise ImageFault("a TIFF without a page")
    return PageChain(tuple(offsets), size)


def has_second_page(file: BinaryIO) -> bool:
    """Whether a sound second page follows the first, without a walk to the end of the chain."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    try:
        shapes, first = read_header(file)
        _, second = check_page(file, first, shapes, size)
        return second not in (0, first) and check_page(file, second, shapes, size) is not None
    except ImageFault:
        return False


def read_header(file: BinaryIO) -> tuple[Shapes, int]:
    """How numbers are stored, and where the first page is."""
    start = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    version = struct.unpack(f"{order}H", start[2:4])[0] if order and len(start) >= 8 else 0
    if version == 42:
        return Shapes(f"{order}H", f"{order}HHI4x", f"{order}I"), unpack(f"{order}I", start[4:8])
    if version == 43 and start[4:8] == struct.pack(f"{order}HH", 8, 0):
        return Shapes(f"{order}Q", f"{order}HHQ8x", f"{order}Q"), unpack(f"{order}Q", start[8:])
    raise ImageFault("no TIFF that is known, expected the classic format or BigTIFF")


def unpack(shape: str, content: bytes) -> int:
    """One number.

    Raises:
        ImageFault: If the file ends before it.
    """
    if len(content) != struct.calcsize(shape):
        raise damage("it ends in a header")
    return struct.unpack(shape, content)[0]


def check_page(file: BinaryIO, offset: int, shapes: Shapes, size: int) -> tuple[int, int]:
    """Bytes of the values of a page's entries, and where the next page is."""
    file.seek(min(offset, size))
    n_entries = unpack(shapes.count, file.read(struct.calcsize(shapes.count)))
    if not 1 <= n_entries <= MAX_ENTRIES:
        raise ImageFault(f"a page of {n_entries} entries, expected 1 to {MAX_ENTRIES}")
    length = struct.calcsize(shapes.entry)
    content = file.read(n_entries * length)
    if len(content) != n_entries * length:
        raise damage("it ends in a header")
    used = sum(check_entry(*entry) for entry in struct.iter_unpack(shapes.entry, content))
    return used, unpack(shapes.offset, file.read(struct.calcsize(shapes.offset)))


def check_entry(code: int, kind: int, n_values: int) -> int:
    """Bytes of an entry's values."""
    if code in VENDORS:
        raise ImageFault(
            f"a stack as {VENDORS[code]} writes it is not read; save it as OME-TIFF, with Fiji say"
        )
    n_bytes = n_values * BYTES_OF_TYPE.get(kind, 1)
    too_many = kind not in TEXT_TYPES and n_values > MAX_VALUES
    if too_many or n_bytes > MAX_ENTRY_BYTES:
        raise ImageFault(f"an entry {code} of {n_values:,} values, expected at most {MAX_VALUES:,}")
    return n_bytes
