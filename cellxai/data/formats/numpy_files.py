"""Arrays that NumPy saved (.npy, .npz): never unpickled, headers checked before memory is taken.

Format: NEP 1 and ``numpy.lib.format``.
"""

import math
import os
import zipfile
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import IO

import numpy as np

from cellxai.data.formats.faults import MAX_BYTES, ImageFault, damage
from cellxai.data.formats.pictures import Frame, Layout, StackFile
from cellxai.data.formats.stack import MEANING, parse_axes

MAX_HEADER = 10_000  # characters; one of numbers has a hundred
MAX_ARRAYS = 1000
ZIP_START = b"PK"

ByteFile = IO[bytes] | BufferedIOBase


@dataclass(frozen=True)
class Header:
    """What stands before the numbers of an array.

    Args:
        shape: Of the array.
        columns_first: Whether the first axis is the fastest (Fortran's order).
        dtype: Of a number, in the file's order of bytes.
        start: Where the numbers begin.
    """

    shape: tuple[int, ...]
    columns_first: bool
    dtype: np.dtype
    start: int

    @property
    def n_bytes(self) -> int:
        """Of all numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: ByteFile, name: str) -> Header:
    """The header of an array at the start of a file.

    Raises:
        ImageFault: If it has no numbers, or cannot be understood.
    """
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)  # fmt: skip
    if read is None:
        raise ImageFault(f"{name} has version {version} of the format, expected 1.0 or 2.0")
    shape, columns_first, dtype = read(file, max_header_size=MAX_HEADER)
    if dtype.hasobject:
        raise ImageFault(
            f"{name} holds Python objects, which could run code and are not read; save the array "
            "of pixels alone"
        )
    return Header(shape, columns_first, dtype, file.tell())


def layout_of(header: Header, name: str, axes: str | None) -> Layout:
    """What the axes of an array are.

    Raises:
        ImageFault: If nothing says it, or the config says another number of axes.
    """
    shape = "×".join(map(str, header.shape)) or "no axes"
    if len(header.shape) == 2:
        letters = "YX"
    elif axes is None:
        raise ImageFault(
            f"{name} is {shape}, and nothing says what its axes are: pass transforms.stack.axes, "
            f"such as CYX or YXC ({MEANING})"
        )
    else:
        letters = check_axes(header, shape, name, axes)
    sizes = dict(zip(letters, header.shape, strict=True))
    return Layout(sizes, np.dtype(header.dtype.type))


def check_axes(header: Header, shape: str, name: str, axes: str) -> str:
    """The letters of the config, if they are those of the array.

    Raises:
        ImageFault: If their number, or a size, is another.
    """
    parsed = parse_axes(axes)
    fits = len(parsed) == len(header.shape) and all(
        wanted in (None, size) for (_, wanted), size in zip(parsed, header.shape, strict=True)
    )
    if not fits:
        raise ImageFault(f"{name} is {shape}, which does not fit to transforms.stack.axes={axes}")
    return "".join(letter for letter, _ in parsed)


class NumpyFile(StackFile):
    """Arrays of which each is a series."""

    def __init__(self, headers: Sequence[Header], names: Sequence[str], axes: str | None) -> None:
        self.headers = headers
        self._layouts = [
            layout_of(header, name, axes) for header, name in zip(headers, names, strict=True)
        ]
        self._last: tuple[int, np.ndarray] | None = None

    @property
    def layouts(self) -> Sequence[Layout]:
        """One of each array."""
        return self._layouts

    def frame(self, series: int, time: int, channel: int, z: int) -> Frame:
        """The rows and columns of an array at a time point, channel and slice."""
        sizes = self._layouts[series].sizes
        place = {"T": time, "C": channel, "Z": z}
        array = self.read_part(series, place)
        letters = [letter for letter in sizes if letter in "YXS"]
        index = tuple(place.get(letter, slice(None)) for letter in sizes)
        pixels = array[index] if array.ndim == len(sizes) else array
        pixels = pixels.transpose([letters.index(letter) for letter in "YXS" if letter in letters])
        return pixels.astype(self._layouts[series].dtype)

    def read_part(self, series: int, place: dict[str, int]) -> np.ndarray:
        """The frame at a place where it lies in one piece, or else the whole array, kept."""
        header, letters = self.headers[series], "".join(self._layouts[series].sizes)
        leading = letters.rstrip("YXS")
        if not header.columns_first and "Y" not in leading and "X" not in leading:
            shape = header.shape[len(leading) :]
            before = (
                np.ravel_multi_index(
                    tuple(place[letter] for letter in leading), header.shape[: len(leading)]
                )
                if leading
                else 0
            )
            return self.read_numbers(series, int(before) * math.prod(shape), shape)
        if self._last is None or self._last[0] != series:
            if header.n_bytes > MAX_BYTES:
                raise ImageFault(
                    f"{header.n_bytes:,} bytes that have to be read at once, expected at most "
                    f"{MAX_BYTES:,}; save it with Y and X as the last axes"
                )
            flat = self.read_numbers(series, 0, (math.prod(header.shape),))
            order = "F" if header.columns_first else "C"
            self._last = series, flat.reshape(header.shape, order=order)
        return self._last[1]

    @abstractmethod
    def read_numbers(self, series: int, skip: int, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers of an array after so many others."""


class SingleArray(NumpyFile):
    """A file of one array."""

    def __init__(self, file: ByteFile, axes: str | None) -> None:
        self.file = file
        header = read_header(file, "the array")
        if os.fstat(file.fileno()).st_size < header.start + header.n_bytes:
            raise damage(f"shorter than the {header.n_bytes:,} bytes that it announces")
        super().__init__([header], ["the array"], axes)

    def read_numbers(self, series: int, skip: int, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers of the array after so many others."""
        header = self.headers[series]
        self.file.seek(header.start + skip * header.dtype.itemsize)
        return numbers_of(self.file, header.dtype, shape)


class ZippedArrays(NumpyFile):
    """A zip file of arrays, in its order."""

    def __init__(self, file: ByteFile, axes: str | None) -> None:
        self.zip = zipfile.ZipFile(file)
        self.flat: tuple[int, np.ndarray] | None = None
        members = [info for info in self.zip.infolist() if info.filename.endswith(".npy")]
        if len(members) > MAX_ARRAYS:
            raise ImageFault(f"{len(members)} arrays in one file, expected 1 to {MAX_ARRAYS}")
        headers = {info.filename: (info, self._header(info)) for info in members}
        # Lists and single numbers beside the pictures, such as names and positions, are none.
        pictures = {name: pair for name, pair in headers.items() if len(pair[1].shape) > 1}
        if not pictures:
            raise ImageFault("no array of two axes or more in it, expected a picture")
        self.members = [info for info, _ in pictures.values()]
        names = [f"the array {name[:60]!r}" for name in pictures]
        super().__init__([header for _, header in pictures.values()], names, axes)

    def _header(self, info: zipfile.ZipInfo) -> Header:
        name = f"the array {info.filename[:60]!r}"
        with self.zip.open(info) as member:
            header = read_header(member, name)
        if info.file_size != header.start + header.n_bytes:
            raise damage(f"{name} has another length than it announces")
        return header

    def read_numbers(self, series: int, skip: int, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers of an array after so many others, and its checksum compared at its end."""
        header = self.headers[series]
        if header.n_bytes > MAX_BYTES:
            raise ImageFault(
                f"{header.n_bytes:,} bytes in one zipped array, expected at most {MAX_BYTES:,}; "
                "save it as .npy"
            )
        if self.flat is None or self.flat[0] != series:
            with self.zip.open(self.members[series]) as member:
                member.read(header.start)
                numbers = numbers_of(member, header.dtype, (math.prod(header.shape),))
                if member.read(1):  # reads to the end, where the checksum is compared
                    raise damage("longer than it announces")
            self.flat = series, numbers
        return self.flat[1][skip : skip + math.prod(shape)].reshape(shape)


def numbers_of(file: ByteFile, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """The next numbers of a file.

    Raises:
        ImageFault: If it ends before.
    """
    n_bytes = math.prod(shape) * dtype.itemsize
    content = file.read(n_bytes)
    if len(content) != n_bytes:
        raise damage("it ends within the pixels")
    return np.frombuffer(content, dtype).reshape(shape)


@contextmanager
def open_arrays(path: Path, axes: str | None) -> Iterator[NumpyFile]:
    """The file, closed at the end of the block."""
    with path.open("rb") as file:
        is_zip = file.read(2) == ZIP_START
        file.seek(0)
        yield ZippedArrays(file, axes) if is_zip else SingleArray(file, axes)
