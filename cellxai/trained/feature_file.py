"""Features of many images in one ``.safetensors`` file, written as they come.

The tensor ``features`` has a row per image. The format has no strings, so ids, labels and splits
are JSON lists in the file's metadata, in the order of the rows: one file, of which no companion can
be lost, and which ``gmm`` reads as a matrix. As the header comes first and the number of readable
images last, room is kept for the header of all images and filled up with spaces, which the format
allows.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError, safe_open

from cellxai.files.digest import check_digest, vouched

FORMAT = "cellxai.features 1"
TENSOR = "features"
LENGTH_BYTES = 8  # of the header's length, before it
COLUMNS = ("ids", "labels", "splits", "broken")
SLACK = 8  # bytes, for punctuation


@dataclass(frozen=True)
class Features:
    """Features of images, and the images and layer that they belong to.

    Args:
        values: [n f], or [n c h w] with places; mapped from the file, so larger than memory if
            need be.
        ids: Ids of the images.
        labels: Their classes; empty where there is none.
        splits: ``train``, ``validation`` or ``test``; empty where an image is not the run's.
        broken: Ids of images that could not be read and have no row.
        layer: The layer whose output they are.
        fingerprint: Hash of network, layer and images; equal ones give equal features.
    """

    values: Float32[np.ndarray, "n ..."]
    ids: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    broken: tuple[str, ...]
    layer: str
    fingerprint: str


@dataclass(frozen=True)
class ImageEntry:
    """What the file records of one image beside its features."""

    id: str
    label: str
    split: str


def read_features(path: Path) -> Features:
    """Reads what ``cellxai features`` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or was written by something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, expected one of `cellxai features`")
    path.open("rb").close()  # whoever may not read it is told that, and not that it is damaged
    check_digest(path, "copy it again, or run `cellxai features`")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"format {metadata.get('format')!r} is not {FORMAT!r}")
            shape = tuple(file.get_slice(TENSOR).get_shape())
        columns = {name: tuple(json.loads(metadata[name])) for name in COLUMNS}
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        what = " ".join(str(error).split())
        raise ValueError(f"{path}: no features ({what}); run `cellxai features` again") from error
    offset = path.stat().st_size - 4 * math.prod(shape)
    # Pages that are written to become the process's own: the file stays as it is.
    values = np.asarray(np.memmap(path, "<f4", "c", offset, shape))
    return Features(values, **columns, layer=metadata["layer"], fingerprint=metadata["fingerprint"])


def write_features(
    path: Path,
    expected: Sequence[ImageEntry],
    chunks: Iterable[tuple[Sequence[str], Float32[np.ndarray, "m ..."]]],
    layer: str,
    fingerprint: str,
) -> None:
    """Writes features as they come, atomically; memory holds one chunk.

    Args:
        path: The file.
        expected: All images.
        chunks: Ids of the readable ones in their order, with their features.
        layer: The layer whose output they are.
        fingerprint: Hash of network, layer and images.

    Raises:
        ValueError: If there is no chunk with an image.
    """
    metadata = {"format": FORMAT, "layer": layer, "fingerprint": fingerprint}
    entries = {entry.id: entry for entry in expected}
    kept: list[ImageEntry] = []
    shape: tuple[int, ...] = ()
    with vouched(path) as temporary, temporary.open("wb") as file:
        for ids, values in chunks:
            if not kept:
                shape = values.shape[1:]
                file.seek(header_room(metadata, expected, shape))
            kept += [entries[image_id] for image_id in ids]
            file.write(np.ascontiguousarray(values, dtype="<f4").data)
        if not kept:
            raise ValueError(f"{path}: none of {len(entries)} images can be read; no features")
        file.seek(0)
        file.write(
            build_header(metadata, expected, kept, shape, header_room(metadata, expected, shape))
        )


def build_header(
    metadata: Mapping[str, str],
    expected: Sequence[ImageEntry],
    kept: Sequence[ImageEntry],
    shape: tuple[int, ...],
    room: int,
) -> bytes:
    """The first ``room`` bytes of the file: the header's length, the header, spaces."""
    read = {entry.id for entry in kept}
    columns = {
        "ids": [entry.id for entry in kept],
        "labels": [entry.label for entry in kept],
        "splits": [entry.split for entry in kept],
        "broken": [entry.id for entry in expected if entry.id not in read],
    }
    n_bytes = 4 * len(kept) * math.prod(shape)
    content = {
        "__metadata__": {
            **metadata,
            **{name: json.dumps(column) for name, column in columns.items()},
        },
        TENSOR: {"dtype": "F32", "shape": [len(kept), *shape], "data_offsets": [0, n_bytes]},
    }
    text = json.dumps(content).encode().ljust(room - LENGTH_BYTES)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def header_room(
    metadata: Mapping[str, str], expected: Sequence[ImageEntry], shape: tuple[int, ...]
) -> int:
    """Bytes before the features, enough whichever of the images can be read.

    The header is longest where all can be read, apart from a comma: an image that cannot be read
    is named once.
    """
    longest = len(build_header(metadata, expected, expected, shape, room=LENGTH_BYTES)) + SLACK
    return -(-longest // 8) * 8
