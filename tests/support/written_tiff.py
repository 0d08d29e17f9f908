"""TIFF files by the specification, of kinds that Pillow does not write."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

SHORT, LONG = 3, 4
CODES = {SHORT: "H", LONG: "I"}


def write_tiff(path: Path, pixels: np.ndarray, photometric: int, extra: Sequence[int]) -> None:
    """Writes [h w c], not compressed, channel beside channel, lowest byte first.

    Args:
        path: The file.
        pixels: Whole numbers or fractions of any length.
        photometric: 1 for grey, 2 for RGB.
        extra: The values of ExtraSamples; none leaves out the tag.
    """
    height, width, n_channels = pixels.shape
    data = pixels.tobytes()
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    tags = {
        256: (LONG, [width]), 257: (LONG, [height]),
        258: (SHORT, [8 * pixels.itemsize] * n_channels), 259: (SHORT, [1]),
        262: (SHORT, [photometric]), 273: (LONG, [8]), 277: (SHORT, [n_channels]),
        278: (LONG, [height]), 279: (LONG, [len(data)]), 284: (SHORT, [1]),
        **({338: (SHORT, list(extra))} if extra else {}),
        339: (SHORT, [kind] * n_channels),
    }  # fmt: skip
    start = 8 + len(data)
    free = start + 2 + 12 * len(tags) + 4
    entries, behind = b"", b""
    for tag, (type_, values) in tags.items():
        packed = struct.pack(f"<{len(values)}{CODES[type_]}", *values)
        if len(packed) > 4:
            place, behind = free + len(behind), behind + packed
            packed = struct.pack("<I", place)
        entries += struct.pack("<HHI", tag, type_, len(values)) + packed.ljust(4, b"\0")
    header = b"II*\0" + struct.pack("<I", start)
    path.write_bytes(header + data + struct.pack("<H", len(tags)) + entries + b"\0" * 4 + behind)
