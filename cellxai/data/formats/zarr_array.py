"""One array of a Zarr folder, versions 2 and 3, its chunks read as files and nothing else run.

By hand and not by the library of that name: a codec that a file names may unpickle there, and a
path may be an address. Specifications: https://zarr-specs.readthedocs.io
"""

import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import imagecodecs
import numpy as np
from jaxtyping import Shaped

from cellxai.data.formats.faults import MAX_BYTES, ImageFault, check_area, damage
from gmm.files.regular import explain_unreadable

MAX_TEXT = 2**24  # bytes of a description
MAX_AXES = 8
MAX_CHUNKS = 100_000  # of one picture
Decoder = Callable[[bytes, int], bytes | bytearray]

DECODERS: dict[str, Decoder] = {
    "blosc": lambda content, n: imagecodecs.blosc_decode(content, out=n),
    "zlib": lambda content, n: imagecodecs.zlib_decode(content, out=n),
    "gzip": lambda content, n: imagecodecs.gzip_decode(content, out=n),
    "zstd": lambda content, n: imagecodecs.zstd_decode(content, out=n),
    "lz4": lambda content, n: imagecodecs.lz4_decode(content, out=n, header=True),
}
NAMES = {
    "bool": "?", "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8", "int8": "i1",
    "int16": "i2", "int32": "i4", "int64": "i8", "float16": "f2", "float32": "f4", "float64": "f8",
}  # fmt: skip


@dataclass(frozen=True)
class ZarrArray:
    """What a description says of an array.

    Args:
        folder: Where it is.
        shape: Of the array.
        chunks: Shape of a chunk; the last ones of an axis are as large.
        dtype: Of a number, in the file's order of bytes.
        order: ``C``, or ``F`` where the first axis of a chunk is the fastest.
        fill: Of chunks that are not there.
        codec: Name of the compression; ``None`` without.
        prefix: What the name of a chunk's file begins with.
        separator: What is between the numbers of a chunk.
    """

    folder: Path
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype
    order: Literal["C", "F"]
    fill: float
    codec: str | None
    prefix: str
    separator: str


def read_json(path: Path) -> dict[str, Any] | None:
    """The mapping in a description; ``None`` where there is none of that name.

    Raises:
        ImageFault: If it is no mapping, or absurdly long.
    """
    if explain_unreadable(path) is not None:
        return None
    with path.open("rb") as file:
        content = file.read(MAX_TEXT + 1)
    if len(content) > MAX_TEXT:
        raise ImageFault(f"{path.name} of more than {MAX_TEXT:,} bytes")
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        raise damage(f"{path.name} is no JSON") from None
    if not isinstance(said, dict):
        raise damage(f"{path.name} is no mapping")
    return said


def open_array(folder: Path) -> ZarrArray:
    """The array in a folder.

    Raises:
        ImageFault: If there is none, or one whose storage is not read.
    """
    if (said := read_json(folder / ".zarray")) is not None:
        return parse_2(folder, said)
    if (said := read_json(folder / "zarr.json")) is not None and said.get("node_type") == "array":
        return parse_3(folder, said)
    raise damage(f"no array in {folder.name}")


def parse_2(folder: Path, said: Mapping[str, Any]) -> ZarrArray:
    """An array of version 2."""
    if said.get("filters"):
        raise ImageFault("a Zarr array with filters is not read; save it without")
    compressor = said.get("compressor")
    codec = None if compressor is None else check_codec(dict(compressor).get("id"))
    return check_array(
        ZarrArray(
            folder, numbers(said["shape"]), numbers(said["chunks"]), check_type(said["dtype"]),
            "F" if said.get("order") == "F" else "C", check_fill(said.get("fill_value")), codec,
            "", "/" if said.get("dimension_separator") == "/" else ".",
        )
    )  # fmt: skip


def parse_3(folder: Path, said: Mapping[str, Any]) -> ZarrArray:
    """An array of version 3."""
    codecs = list(said["codecs"])
    names = [codec["name"] for codec in codecs]
    if names[:1] != ["bytes"] or len(names) > 2:
        raise ImageFault(
            f"a Zarr array of codecs {', '.join(map(str, names))[:80]} is not read, expected bytes "
            f"and one of {', '.join(DECODERS)}; save it without shards"
        )
    by_end = codecs[0].get("configuration", {}).get("endian") == "big"
    dtype = check_type((">" if by_end else "<") + NAMES.get(str(said["data_type"]), "O"))
    encoding = said.get("chunk_key_encoding", {"name": "default"})
    default = encoding["name"] == "default"
    separator = encoding.get("configuration", {}).get("separator", "/" if default else ".")
    return check_array(
        ZarrArray(
            folder, numbers(said["shape"]),
            numbers(said["chunk_grid"]["configuration"]["chunk_shape"]), dtype, "C",
            check_fill(said.get("fill_value")), check_codec(names[1]) if names[1:] else None,
            f"c{'/' if separator == '/' else '.'}" if default else "",
            "/" if separator == "/" else ".",
        )
    )  # fmt: skip


def numbers(values: Any) -> tuple[int, ...]:
    """Whole numbers from 1.

    Raises:
        ImageFault: If they are others.
    """
    if not isinstance(values, list) or not all(type(n) is int and n > 0 for n in values):
        raise damage("a shape that is none")
    return tuple(values)


def check_type(name: Any) -> np.dtype:
    """The type of a number.

    Raises:
        ImageFault: If it is no plain one: objects would be unpickled.
    """
    dtype = np.dtype(name) if isinstance(name, str) else np.dtype(object)
    if dtype.kind not in "biuf":
        raise ImageFault(f"a Zarr array of type {str(name)[:40]}, expected numbers")
    return dtype


def check_codec(name: Any) -> str:
    """The name of a compression that is read."""
    if name not in DECODERS:
        raise ImageFault(
            f"a Zarr array compressed by {str(name)[:40]} is not read, expected one of "
            f"{', '.join(DECODERS)}; save it anew"
        )
    return str(name)


def check_fill(value: Any) -> float:
    """What fills chunks that are not there; 0 where nothing is said."""
    return float(value) if isinstance(value, (int, float, str)) else 0.0


def check_array(array: ZarrArray) -> ZarrArray:
    """Refuses shapes that do not fit to each other, or chunks that are too large."""
    n = len(array.shape)
    if not 2 <= n <= MAX_AXES or len(array.chunks) != n:
        raise damage(f"shape {array.shape} in chunks of {array.chunks}")
    if math.prod(array.chunks) * array.dtype.itemsize > MAX_BYTES:
        raise ImageFault(f"chunks of {array.chunks} are too large, expected {MAX_BYTES:,} bytes")
    return array


def read_window(array: ZarrArray, index: Sequence[int | slice]) -> Shaped[np.ndarray, "..."]:
    """The numbers at a place along some axes, and all along the others.

    Args:
        array: The array.
        index: For each axis a number, or ``slice(None)``.

    Raises:
        ImageFault: If a chunk is damaged, or there are too many of them.
    """
    ranges = [
        range(-(-size // chunk)) if isinstance(place, slice) else [place // chunk]
        for place, size, chunk in zip(index, array.shape, array.chunks, strict=True)
    ]
    if math.prod(map(len, ranges)) > MAX_CHUNKS:
        raise ImageFault(f"a picture of more than {MAX_CHUNKS:,} chunks; save it in larger ones")
    shape = [
        size if isinstance(place, slice) else 1
        for place, size in zip(index, array.shape, strict=True)
    ]
    check_area(math.prod(shape), 1)
    result = np.empty(shape, array.dtype.newbyteorder("="))
    for place in itertools.product(*ranges):
        chunk = read_chunk(array, place)
        target, source = [], []
        for axis, (number, size) in enumerate(zip(place, array.chunks, strict=True)):
            at = index[axis]
            if isinstance(at, slice):
                n = min(size, array.shape[axis] - number * size)
                target.append(slice(number * size, number * size + n))
                source.append(slice(0, n))
            else:
                target.append(slice(0, 1))
                source.append(slice(at % size, at % size + 1))
        result[tuple(target)] = chunk[tuple(source)]
    return result[tuple(at if isinstance(at, slice) else 0 for at in index)]


def read_chunk(array: ZarrArray, place: Sequence[int]) -> Shaped[np.ndarray, "..."]:
    """A chunk as it is stored; of one that is not there, what fills it."""
    path = array.folder / (array.prefix + array.separator.join(map(str, place)))
    if not path.exists():
        return np.full(array.chunks, array.fill, array.dtype)
    if (reason := explain_unreadable(path)) is not None:
        raise ImageFault(f"chunk {path.name}: {reason}")
    n_bytes = math.prod(array.chunks) * array.dtype.itemsize
    with path.open("rb") as file:
        content = file.read(2 * n_bytes + 2**16)  # no compression makes it twice as long
    if array.codec is not None:
        content = DECODERS[array.codec](content, n_bytes)
    if len(content) != n_bytes:
        raise damage(f"chunk {path.name} of {len(content)} bytes, expected {n_bytes}")
    return np.frombuffer(content, array.dtype).reshape(array.chunks, order=array.order)
