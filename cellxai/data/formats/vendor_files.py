"""Files of microscopes: CZI of Zeiss by czifile, LIF of Leica by liffile (both BSD-3-Clause).

They come with the extra ``cellxai[bio]``. BioIO, which wraps such libraries, was judged and left:
its plug-in for CZI is GPL-3, and others bring clients of network storage.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np

from cellxai.data.formats.faults import DECODING, ImageFault, check_area, damage
from cellxai.data.formats.pictures import Frame, Layout, StackFile
from cellxai.data.formats.stack import LETTERS

CZI_START, LIF_START = b"ZISRAWFILE", b"\x70\x00\x00\x00"
MAX_ENTRIES = 500_000  # pieces of an image
MAX_HEADER = 2**27  # bytes of XML
ZSTD, ZSTD_WITH_HEADER = 5, 6  # compressions of CZI that are younger than czifile
WAVELENGTHS = ("λ", "Λ")  # emitted, excited
COMPRESSIONS = (0, 1, 2, 4, ZSTD, ZSTD_WITH_HEADER)  # none, JPEG, LZW, JPEG XR, zstd


def need(package: str, what: str) -> Any:
    """A package of the extra.

    Raises:
        ImageFault: If it is not installed; says how to install it.
    """
    try:
        return import_module(package)
    except ImportError:
        raise ImageFault(
            f"{what} needs {package}: pip install 'cellxai[bio]', or save the file as OME-TIFF"
        ) from None


class CziFile(StackFile):
    """A CZI: scenes are series, and pieces of a mosaic are put in their places.

    Args:
        file: The opened file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.czi = need("czifile", "CZI").CziFile(file)
        entries = list(self.czi.filtered_subblock_directory)
        if not 1 <= len(entries) <= MAX_ENTRIES:
            raise ImageFault(f"CZI of {len(entries)} pieces, expected 1 to {MAX_ENTRIES:,}")
        scenes: dict[int, list[Any]] = {}
        for entry in entries:
            if entry.pyramid_type == 0:  # others are smaller copies
                scenes.setdefault(starts_of(entry).get("S", 0), []).append(entry)
        if not scenes:
            raise damage("no piece of an image at its full resolution")
        self.scenes = [scenes[number] for number in sorted(scenes)]
        self._layouts = [layout_of_scene(pieces) for pieces in self.scenes]

    @property
    def layouts(self) -> Sequence[Layout]:
        """One of each scene."""
        return self._layouts

    def frame(self, series: int, time: int, channel: int, z: int) -> Frame:
        """The pieces of one plane, put together; 0 where there is none."""
        layout, pieces = self._layouts[series], self.scenes[series]
        top, left = (min(starts_of(piece)[axis] for piece in pieces) for axis in "YX")
        shape = [layout.size("Y"), layout.size("X"), layout.size("S")]
        result = np.zeros(shape, layout.dtype)
        wanted = {"T": time, "C": channel, "Z": z}
        first = {axis: min(starts_of(piece).get(axis, 0) for piece in pieces) for axis in wanted}
        n_found = 0
        for piece in pieces:
            starts = starts_of(piece)
            if any(starts.get(axis, 0) - first[axis] != at for axis, at in wanted.items()):
                continue
            n_found += 1
            pixels = decode_piece(piece)
            y, x = starts["Y"] - top, starts["X"] - left
            result[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
        if not n_found:
            raise damage(f"nothing at time point {time}, channel {channel}, slice {z}")
        return result if result.shape[-1] > 1 else result[..., 0]


def starts_of(piece: Any) -> dict[str, int]:
    """Where a piece begins along each axis."""
    return {entry.dimension: entry.start for entry in piece.dimension_entries}


def layout_of_scene(pieces: Sequence[Any]) -> Layout:
    """What a scene is: pieces of one type, in a rectangle."""
    dtype = np.dtype(pieces[0].dtype)
    if any(
        np.dtype(piece.dtype) != dtype or piece.pixel_type != pieces[0].pixel_type
        for piece in pieces
    ):
        raise ImageFault("CZI of channels of several types; save it as OME-TIFF")
    sizes: dict[str, int] = {}
    for axis in "TCZYX":
        spans = [
            (entry.start, entry.start + entry.size)
            for piece in pieces
            for entry in piece.dimension_entries
            if entry.dimension == axis
        ]
        if spans:
            sizes[axis] = max(end for _, end in spans) - min(start for start, _ in spans)
    if not {"Y", "X"} <= set(sizes) or min(sizes.values()) < 1:
        raise damage("pieces without rows or columns")
    check_area(sizes["Y"], sizes["X"])
    samples = dtype.shape[0] if dtype.shape else 1
    if samples not in (1, 3):
        raise ImageFault(f"CZI of {samples} samples in a pixel, expected grey or RGB")
    return Layout({**sizes, "S": samples}, np.dtype(dtype.base.type))


def decode_piece(piece: Any) -> np.ndarray:
    """The pixels [y x s] of a piece."""
    entries = {entry.dimension: entry for entry in piece.dimension_entries}
    rows, columns = (entries[axis].stored_size for axis in "YX")
    others = [entry.stored_size for axis, entry in entries.items() if axis not in "YXM"]
    if (entries["Y"].size, entries["X"].size) != (rows, columns) or set(others) - {0, 1}:
        raise ImageFault("CZI whose pieces are stacks or of another size; save it as OME-TIFF")
    check_area(rows, columns)
    if piece.compression not in COMPRESSIONS:
        raise ImageFault(f"CZI of compression {piece.compression} is not read; save it anew")
    base = np.dtype(piece.dtype).base
    samples = np.dtype(piece.dtype).shape[0] if np.dtype(piece.dtype).shape else 1
    segment = piece.data_segment()
    if piece.compression in (ZSTD, ZSTD_WITH_HEADER):
        raw = bytes(segment.data(raw=True))
        flat = decode_zstd(raw, piece.compression, rows * columns * samples * base.itemsize)
        pixels = np.frombuffer(flat, base).reshape(rows, columns, samples)
        return pixels[..., ::-1] if samples == 3 else pixels  # blue comes first in the file
    return np.asarray(segment.data(resize=False)).reshape(rows, columns, samples)


def decode_zstd(content: bytes, compression: int, n_bytes: int) -> bytes:
    """Pixels of a piece: with a header, their low bytes may come before all high ones."""
    apart = False
    if compression == ZSTD_WITH_HEADER:
        length = content[0]
        if length not in (1, 3):
            raise damage("a header of zstd of another length")
        apart = length == 3 and bool(content[2] & 1)
        content = content[length:]
    flat = bytes(imagecodecs.zstd_decode(content, out=n_bytes))
    if len(flat) != n_bytes:
        raise damage("a piece of another length")
    if apart:
        return np.frombuffer(flat, np.uint8).reshape(2, -1).T.tobytes()
    return flat


class LifFile(StackFile):
    """A LIF: its images are series.

    Args:
        file: The opened file.
    """

    def __init__(self, file: BinaryIO) -> None:
        check_lif(file)
        self.lif = need("liffile", "LIF").LifFile(file)
        self.images = [image for image in self.lif.images if not image.is_flim]
        if not self.images:
            raise ImageFault("LIF without an image, or with fluorescence lifetimes alone")
        self._layouts = [layout_of_lif(image) for image in self.images]

    @property
    def layouts(self) -> Sequence[Layout]:
        """One of each image."""
        return self._layouts

    def frame(self, series: int, time: int, channel: int, z: int) -> Frame:
        """One plane, which has to lie in the file as rows and columns."""
        image, layout = self.images[series], self._layouts[series]
        place = {"T": time, "C": channel, "Z": z}
        renamed = {new: old for old, new in names_of_axes(image.sizes).items()}
        wanted = {renamed[axis]: at for axis, at in place.items() if axis in layout.sizes}
        pixels = image.frame(**wanted)
        if pixels.shape[:2] != (layout.size("Y"), layout.size("X")):
            raise ImageFault("LIF whose rows are not beside each other; save it as OME-TIFF")
        return pixels.astype(layout.dtype)


def names_of_axes(sizes: Mapping[str, int]) -> dict[str, str]:
    """What each axis of a LIF is here: rows of depth are rows, wavelengths are channels."""
    names = {axis: axis for axis in sizes}
    if "Y" not in sizes and "Z" in sizes:
        names["Z"] = "Y"
    for wavelength in WAVELENGTHS:
        if wavelength in sizes and "C" not in names.values():
            names[wavelength] = "C"
    return names


def check_lif(file: BinaryIO) -> None:
    """Refuses XML with a document type, or too long, before a parser sees it."""
    header = file.read(13)
    if len(header) != 13:
        raise damage("it ends in its header")
    n_bytes = 2 * struct.unpack("<IIBI", header)[3]
    if n_bytes > MAX_HEADER:
        raise ImageFault(f"LIF with {n_bytes:,} bytes of XML, expected at most {MAX_HEADER:,}")
    text = file.read(n_bytes).decode("utf-16-le")
    if not text.startswith("<LMSDataContainerHeader") or "<!" in text:
        raise ImageFault("LIF whose XML is not that of a container; save it as OME-TIFF")
    file.seek(0)


def layout_of_lif(image: Any) -> Layout:
    """What an image is."""
    sizes = {names_of_axes(image.sizes)[axis]: n for axis, n in image.sizes.items()}
    if not {"Y", "X"} <= set(sizes) <= set(LETTERS) or image.memory_block.frames:
        named = ", ".join(f"{axis} {n}" for axis, n in image.sizes.items())
        raise ImageFault(f"LIF of an image of axes {named}; save it as OME-TIFF")
    return Layout(sizes, np.dtype(image.dtype.type))


@contextmanager
def open_vendor_file(path: Path, start: bytes) -> Iterator[StackFile]:
    """The file, closed at the end of the block."""
    with path.open("rb") as file:
        try:
            yield CziFile(file) if start == CZI_START else LifFile(file)
        except DECODING:
            raise
        except Exception as error:  # czifile has errors of its own, of no common kind
            raise damage(" ".join(str(error).split())[:200]) from None
