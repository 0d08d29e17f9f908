"""Files that are damaged as disks and cables damage them: a bit, or the rest, is another."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np


def flip_bits(path: Path, n: int = 200, seed: int = 0) -> Iterator[int]:
    """Flips a bit of a file and gives its place, ``n`` times; whole again after each."""
    sound = path.read_bytes()
    random = np.random.default_rng(seed)
    for place in random.integers(0, 8 * len(sound), n).tolist():
        damaged = bytearray(sound)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        yield place
    path.write_bytes(sound)
