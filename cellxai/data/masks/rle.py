"""Run-length encoding of masks as Kaggle's Sartorius competition writes it.

Pixels are counted from 1, row by row. (Kaggle's older competitions count column by column; a mask
decoded in the wrong order has the right area and the wrong place.)
"""

import re

import numpy as np
from jaxtyping import Bool, Int64

from cellxai.data.records import brief

PAIRS = re.compile(r"\s*(?:[0-9]+\s+[0-9]+(?:\s+|$))*", re.ASCII)


def decode_rle(text: str, shape: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """The mask that ``text`` encodes.

    Args:
        text: Pairs of start and length, separated by spaces; empty for an empty mask.
        shape: Height and width of the image, in pixels.

    Raises:
        ValueError: If ``text`` is not a run-length encoding of an image of this shape.
    """
    mask = np.zeros(shape[0] * shape[1], dtype=bool)
    mask[pixels_of(parse_rle(text, mask.size))] = True
    return mask.reshape(shape)


def encode_rle(mask: Bool[np.ndarray, "h w"]) -> str:
    """The runs of true pixels as ``start length start length …``, in ascending order."""
    padded = np.concatenate([[False], mask.ravel(), [False]])
    # Between two neighbours of which one is set lies an edge: a start and an end in turn.
    edges = np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)
    return " ".join(f"{start + 1} {end - start}" for start, end in edges)


def parse_rle(text: str, n_pixels: int) -> Int64[np.ndarray, "runs 2"]:
    """Start (from 1) and length of each run, checked against an image of ``n_pixels``.

    Raises:
        ValueError: If a value is not a positive integer, a start lacks its length, a run leaves the
            image, or runs overlap or are not in order.
    """
    if PAIRS.fullmatch(text) is None:
        raise ValueError(f"run-length encoding has {describe_odd_pairs(text)}")
    values = np.fromstring(text.strip(), dtype=np.int64, sep=" ")  # a lone blank would be a 0
    # Too many digits come out as the largest integer, and the sum of two of those would wrap.
    runs = np.minimum(values, n_pixels + 1).reshape(-1, 2)
    if len(runs) and (runs.min() < 1 or runs.sum(1).max() - 1 > n_pixels):
        raise ValueError(f"run-length encoding has {describe_first_outside(text, runs, n_pixels)}")
    refuse_disorder(runs)
    return runs


def refuse_disorder(runs: Int64[np.ndarray, "runs 2"]) -> None:
    """Refuses runs that are not one behind the other, as nothing that writes masks would leave.

    Raises:
        ValueError: Naming the first that begins before the end of the one before it.
    """
    ends = runs.sum(1)
    early = np.flatnonzero(runs[1:, 0] < ends[:-1])
    if not early.size:
        return
    before, run = runs[early[0]], runs[early[0] + 1]
    how = "overlaps" if run[0] >= before[0] else "lies before"
    raise ValueError(
        f"run-length encoding has start {run[0]} length {run[1]}, which {how} that of start "
        f"{before[0]} length {before[1]}, expected runs in order and apart"
    )


def pixels_of(runs: Int64[np.ndarray, "runs 2"]) -> Int64[np.ndarray, " p"]:
    """Places (from 0) of the pixels in the runs, run by run."""
    starts, lengths = runs.T
    before = lengths.cumsum() - lengths  # pixels of the runs before each
    return np.repeat(starts - 1 - before, lengths) + np.arange(lengths.sum())


def describe_odd_pairs(text: str) -> str:
    """The first word that is not a number; where all are, how many there are."""
    words = re.findall(r"\S+", text, re.ASCII)
    unlike = next((word for word in words if not (word.isascii() and word.isdigit())), None)
    if unlike is not None:
        return f"{brief(unlike)}, expected positive integers"
    return f"{len(words)} values, expected start-length pairs"


def describe_first_outside(text: str, runs: Int64[np.ndarray, "runs 2"], n_pixels: int) -> str:
    """The first run that is empty or leaves the image, as it was written."""
    outside = (runs < 1).any(1) | (runs.sum(1) - 1 > n_pixels)
    start, length = text.split()[2 * int(outside.argmax()) :][:2]
    expected = f"expected both from 1 and the run within {n_pixels} pixels"
    return f"start {start} length {length}, {expected}"
