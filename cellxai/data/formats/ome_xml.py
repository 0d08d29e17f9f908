"""Which page of an OME-TIFF is which plane: its OME-XML, read as data from anywhere.

OME Data Model and OME-TIFF specification, 2016-06. The text is streamed: no tree is built, a
document type (and so entities) is refused, and no file that it names is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError, XMLParser

import numpy as np
from jaxtyping import Int

from cellxai.data.formats.faults import ImageFault

MAX_DEPTH = 100
MAX_PLANES = 1_000_000
MISSING = -1


@dataclass
class TiffData:
    """Pages in a row that hold planes in a row, where they are in this file."""

    said: Mapping[str, str]
    file_name: str = ""
    identity: str = ""


@dataclass
class OmeImage:
    """One image: sizes and order of its planes, and where they are."""

    said: Mapping[str, str]
    samples: list[int] = field(default_factory=list)
    blocks: list[TiffData] = field(default_factory=list)

    def number(self, name: str) -> int:
        """A size.

        Raises:
            ImageFault: If it is no number from 1.
        """
        return read_number(self.said, name, None, 1)

    @property
    def n_channels(self) -> int:
        """Channels that have pages of their own; those of a colour share theirs."""
        samples = set(self.samples) or {1}
        n, each = self.number("SizeC"), next(iter(samples))
        if len(samples) > 1 or each < 1 or n % each:
            raise ImageFault("OME-XML with channels of unequal samples; save it anew")
        return n // each


class Collector:
    """Keeps what says where planes are, while the parser goes through the text."""

    def __init__(self) -> None:
        self.identity = ""
        self.images: list[OmeImage] = []
        self.depth = 0
        self._in_identity = False

    def doctype(self, *_: object) -> None:
        """Refuses a document type, with which entities would come."""
        raise ImageFault("OME-XML with a document type, expected none; save it anew")

    def start(self, tag: str, said: dict[str, str]) -> None:
        """An element begins."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ImageFault(f"OME-XML nested deeper than {MAX_DEPTH}; save it anew")
        name = tag.rpartition("}")[2]
        if name == "OME":
            self.identity = said.get("UUID", "")
        elif name == "Pixels":
            self.images.append(OmeImage(said))
        elif self.images and name == "Channel":
            self.images[-1].samples.append(read_number(said, "SamplesPerPixel", 1, 1))
        elif self.images and name == "TiffData":
            self.images[-1].blocks.append(TiffData(said))
        elif self.images and self.images[-1].blocks and name == "UUID":
            self.images[-1].blocks[-1].file_name = said.get("FileName", "")
            self._in_identity = True

    def data(self, text: str) -> None:
        """Text; that of a UUID may come in pieces."""
        if self._in_identity:
            self.images[-1].blocks[-1].identity += text.strip()

    def end(self, _: str) -> None:
        """An element ends."""
        self.depth -= 1
        self._in_identity = False

    def close(self) -> None:
        """The text ends."""


def read_number(said: Mapping[str, str], name: str, default: int | None, least: int) -> int:
    """A whole number of an attribute.

    Raises:
        ImageFault: If it is missing without a default, no number, too small or absurd.
    """
    text = said.get(name, "" if default is None else str(default))
    if not text.isdecimal() or len(text) > 9 or int(text) < least:
        raise ImageFault(f"OME-XML with {name}={text[:40]!r}, expected a number from {least}")
    return int(text)


def parse_ome(text: str) -> tuple[list[OmeImage], str]:
    """The images that an OME-XML describes, and the identity of the file that it is in.

    Raises:
        ImageFault: If it cannot be read.
    """
    collector = Collector()
    parser = XMLParser(target=collector)
    try:
        parser.feed(text)
        parser.close()
    except (ParseError, ValueError) as error:
        if isinstance(error, ImageFault):
            raise
        raise ImageFault(
            f"OME-XML that cannot be read ({' '.join(str(error).split())[:100]}); pass "
            "transforms.stack.axes"
        ) from None
    return collector.images, collector.identity


def pages_of_image(
    image: OmeImage, identity: str, file_name: str, n_pages: int
) -> Int[np.ndarray, "t c z"]:
    """The page of each plane, ``MISSING`` where it is in no page of this file.

    Args:
        image: What the OME-XML says of it.
        identity: UUID of the file.
        file_name: Its name.
        n_pages: Pages in it.

    Raises:
        ImageFault: If the numbers do not fit to each other.
    """
    sizes = {"T": image.number("SizeT"), "C": image.n_channels, "Z": image.number("SizeZ")}
    order = image.said.get("DimensionOrder", "XYCZT")
    n_planes = sizes["T"] * sizes["C"] * sizes["Z"]
    if sorted(order) != sorted("XYCZT") or not order.startswith("XY") or n_planes > MAX_PLANES:
        raise ImageFault(f"OME-XML of {n_planes} planes in order {order[:10]!r}; save it anew")
    slowest_first = order[:1:-1]
    shape = tuple(sizes[letter] for letter in slowest_first)
    pages = np.full(n_planes, MISSING)
    for block in image.blocks or [TiffData({})]:
        if not is_here(block, image, identity, file_name):
            continue
        firsts = tuple(read_number(block.said, f"First{letter}", 0, 0) for letter in slowest_first)
        if any(first >= size for first, size in zip(firsts, shape, strict=True)):
            raise ImageFault("OME-XML that puts a page behind the last plane; save it anew")
        start = int(np.ravel_multi_index(firsts, shape))
        page = read_number(block.said, "IFD", 0, 0)
        one = 1 if "IFD" in block.said else max(n_pages - page, 1)
        n = min(read_number(block.said, "PlaneCount", one, 0), n_planes - start, n_pages - page)
        pages[start : start + max(n, 0)] = np.arange(page, page + max(n, 0))
    return pages.reshape(shape).transpose([slowest_first.index(letter) for letter in "TCZ"])


def is_here(block: TiffData, image: OmeImage, identity: str, file_name: str) -> bool:
    """Whether a block's pages are in this file; it may have been renamed, if it is the only one."""
    if not block.identity and not block.file_name:
        return True
    if block.identity and identity:
        return block.identity == identity
    alone = len({(other.identity, other.file_name) for other in image.blocks}) == 1
    return alone or block.file_name == file_name
