"""TIFF files of several pages, of other channels than grey and RGB, of fractions, of BigTIFF."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Int
from tifffile import TiffFile, TiffPage

from cellxai.data.formats.faults import ImageFault, damage
from cellxai.data.formats.ome_xml import MISSING, pages_of_image, parse_ome
from cellxai.data.formats.pictures import Frame, Layout, StackFile
from cellxai.data.formats.stack import Stack, parse_axes
from cellxai.data.formats.tiff_axes import axes_of_tifffile, pages_by_axes, pages_of_imagej
from cellxai.data.formats.tiff_chain import PageChain, walk_pages
from cellxai.data.formats.tiff_page import (
    APART,
    MINISBLACK,
    ORIENTATION,
    RGB,
    describe_page,
    open_page,
    read_page,
)

REDUCED = 1  # of NewSubfileType: a thumbnail, or a level of a pyramid
Pages = Int[np.ndarray, "t c z"]


@dataclass(frozen=True)
class Series:
    """Pages of one kind.

    Args:
        layout: What they are.
        pages: The page of each plane, ``MISSING`` where it is not in the file.
        samples: Which sample of the page each plane is, where a plane is not all of them.
        in_a_row: Whether one header stands for all, and ``pages`` counts pictures behind it.
    """

    layout: Layout
    pages: Pages
    samples: Pages | None = None
    in_a_row: bool = False


class TiffStack(StackFile):
    """An opened TIFF.

    Args:
        file: The file.
        name: Its name, which OME-XML may call it by.
        axes: From the config; ``None`` for what the file says.
    """

    def __init__(self, file: BinaryIO, name: str, axes: str | None) -> None:
        self.file = file
        self.chain = walk_pages(file)
        file.seek(0)
        self.tiff = TiffFile(file, name="")
        first = self.page(0)
        # With planes apart tifffile writes RGB and alpha, whatever three or four they are.
        self.alpha = first.planarconfig == APART and first.description.startswith('{"shape"')
        self.series = find_series(self, name, axes)
        self._last: tuple[int, Frame] | None = None

    @property
    def layouts(self) -> Sequence[Layout]:
        """One of each series."""
        return [series.layout for series in self.series]

    def page(self, number: int) -> TiffPage:
        """A page, none of its pixels read."""
        return open_page(self.tiff, self.chain.offsets[number], number)

    def frame(self, series: int, time: int, channel: int, z: int) -> Frame:
        """One page's pixels, which have to be as those of the series."""
        found = self.series[series]
        number = int(found.pages[time, channel, z])
        if number == MISSING:
            raise ImageFault(
                f"the plane of time point {time}, channel {channel}, slice {z} is not in this "
                "file, and files that it names are not opened; save all planes in one"
            )
        if found.in_a_row:
            return read_in_a_row(self.page(0), self.file, number)
        if self._last is None or self._last[0] != number:
            self._last = number, self.read_whole(number, found)
        pixels = self._last[1]
        return pixels if found.samples is None else pixels[..., found.samples[time, channel, z]]

    def read_whole(self, number: int, series: Series) -> Frame:
        """The pixels of a page of a series."""
        page = self.page(number)
        if self.layout_of(page, series.pages.shape, series.samples is None) != series.layout:
            raise ImageFault(
                f"page {number} is not as page {series.pages.flat[0]}; save them apart"
            )
        return read_page(page, self.file, self.chain.n_bytes, self.alpha)

    def layout_of(self, page: TiffPage, shape: tuple[int, ...], whole: bool = True) -> Layout:
        """What a series of pages as this one is, or of single samples of them."""
        height, width, samples, dtype = describe_page(page, self.alpha)
        names = zip("TCZ", shape, strict=True)
        return Layout({"Y": height, "X": width, "S": samples if whole else 1, **dict(names)}, dtype)


def find_series(stack: TiffStack, name: str, axes: str | None) -> list[Series]:
    """The series of a file: as the config says, as OME-XML or ImageJ do, or by kinds of page."""
    first = stack.page(0)
    n_pages = len(stack.chain.offsets)
    text = first.description
    if axes is None and is_ome(text):
        return series_of_ome(stack, text, name)
    if axes is None and (pages := pages_of_imagej(text)) is not None and n_pages < pages.size:
        if n_pages > 1:
            raise ImageFault(
                f"truncated or corrupt ({n_pages} pages of {pages.size}); copy it again"
            )
        check_in_a_row(first, pages.size, stack.chain)
        return [Series(stack.layout_of(first, pages.shape), pages, in_a_row=True)]
    return [series_of_kind(stack, numbers, axes) for numbers in pages_of_kinds(stack)]


def series_of_kind(stack: TiffStack, numbers: Int[np.ndarray, " n"], axes: str | None) -> Series:
    """Pages of one kind, in the order that the config, ImageJ or tifffile say.

    Raises:
        ImageFault: If nothing says it.
    """
    first, n = stack.page(int(numbers[0])), len(numbers)
    text = first.description
    said = axes_of_tifffile(text) if axes is None else parse_axes(axes)
    imagej = pages_of_imagej(text) if axes is None else None
    if imagej is not None and imagej.size == n:
        return Series(stack.layout_of(first, imagej.shape), numbers[imagej])
    if said is not None:
        n_apart = first.samplesperpixel if first.planarconfig == APART else 1
        if n_apart == 1 or "S" in dict(said):
            pages = pages_by_axes(said, n)
            return Series(stack.layout_of(first, pages.shape), numbers[pages])
        places = pages_by_axes(said, n * n_apart, n_apart)
        layout = stack.layout_of(first, places.shape, whole=False)
        return Series(layout, numbers[places // n_apart], places % n_apart)
    if n > 1:
        raise ImageFault(
            f"{n} pages, and the file does not say what they are: pass transforms.stack.axes=CYX "
            "for channels, ZYX for slices or TYX for time points"
        )
    return Series(stack.layout_of(first, (1, 1, 1)), numbers.reshape(1, 1, 1))


def is_ome(text: str) -> bool:
    """Whether a description is OME-XML."""
    return text.lstrip().startswith("<") and "OME" in text[:5000]


def series_of_ome(stack: TiffStack, text: str, name: str) -> list[Series]:
    """A series for each image of an OME-XML."""
    images, identity = parse_ome(text)
    if not images:
        raise ImageFault(
            "OME-XML that describes no image, or names another file for that, which is not "
            "opened; pass transforms.stack.axes"
        )
    n_pages = len(stack.chain.offsets)
    series: list[Series] = []
    for image in images:
        pages = pages_of_image(image, identity, name, n_pages)
        here = pages[pages != MISSING]
        if not len(here):
            continue
        layout = stack.layout_of(stack.page(int(here[0])), pages.shape)
        said = image.number("SizeY"), image.number("SizeX")
        if sorted(said) != sorted((layout.size("Y"), layout.size("X"))):
            raise ImageFault(f"OME-XML says {said[1]}×{said[0]} pixels, the page another size")
        series.append(Series(layout, pages))
    if not series:
        raise ImageFault("OME-XML says that all planes are in other files, which are not opened")
    return series


def pages_of_kinds(stack: TiffStack) -> list[Int[np.ndarray, " n"]]:
    """Numbers of the pages of one size and type, in order of the first; no thumbnails."""
    kinds: dict[object, list[int]] = {}
    for number in range(len(stack.chain.offsets)):
        page = stack.page(number)
        if number == 0 or not page.subfiletype & REDUCED:
            kinds.setdefault((*page.shaped, page.dtype), []).append(number)
    return [np.array(numbers) for numbers in kinds.values()]


def check_in_a_row(page: TiffPage, n_pictures: int, chain: PageChain) -> None:
    """Refuses pictures behind one header that are compressed, or do not fit into the file."""
    describe_page(page)
    is_raw = page.compression == page.predictor == page.fillorder == page.planarconfig == 1
    is_shown = page.photometric in (MINISBLACK, RGB) and not page.extrasamples
    turned = page.tags.valueof(ORIENTATION, 1) != 1
    if not (is_raw and is_shown and page.is_contiguous) or turned:
        raise ImageFault(f"{n_pictures} pictures behind one header, in pieces; save them anew")
    start, n_bytes = page.dataoffsets[0], page.nbytes
    if start < 8 or start + n_pictures * n_bytes > chain.n_bytes:
        raise damage(f"it says {n_pictures} pictures, and is too short")


def read_in_a_row(page: TiffPage, file: BinaryIO, number: int) -> Frame:
    """One of the pictures that lie behind each other as numbers, as ImageJ writes large stacks."""
    dtype = describe_page(page)[-1]
    file.seek(page.dataoffsets[0] + number * page.nbytes)
    stored = np.frombuffer(file.read(page.nbytes), dtype.newbyteorder(page.parent.byteorder))
    return stored.reshape(page.shape).astype(dtype)


@contextmanager
def open_tiff_stack(path: Path, stack: Stack) -> Iterator[TiffStack]:
    """The file, closed at the end of the block."""
    with path.open("rb") as file:
        yield TiffStack(file, path.name, stack.axes)
