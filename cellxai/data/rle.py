"""Run-length encoding of masks as Kaggle's Sartorius competition writes it.

Pixels are counted from 1, row by row. (Kaggle's older competitions count column by column; a mask
decoded in the wrong order has the right area and the wrong place.)
"""

import numpy as np
from jaxtyping import Bool, Int64


def decode_rle(text: str, shape: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """The mask that ``text`` encodes.

    Args:
        text: Pairs of start and length, separated by spaces; empty for an empty mask.
        shape: Height and width of the image, in pixels.

    Raises:
        ValueError: If ``text`` is no run-length encoding of an image of this shape.
    """
    runs = parse_rle(text, shape[0] * shape[1])
    mask = np.zeros(shape[0] * shape[1], dtype=bool)
    for start, length in runs:
        mask[start - 1 : start - 1 + length] = True
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
        ValueError: If a value is no positive integer, a start lacks its length, or a run does not
            lie within the image.
    """
    words = text.split()
    if len(words) % 2:
        raise ValueError(
            f"run-length encoding has {len(words)} values, expected start-length pairs"
        )
    unlike = next((word for word in words if not (word.isascii() and word.isdigit())), None)
    if unlike is not None:
        raise ValueError(f"run-length encoding has {unlike!r}, expected positive integers")
    # Python's integers first: a value of many digits must be refused, not wrapped around.
    values = [min(int(word), n_pixels + 1) if len(word) < 19 else n_pixels + 1 for word in words]
    runs = np.array(values, dtype=np.int64).reshape(-1, 2)
    check_runs(runs, n_pixels, words)
    return runs


def check_runs(runs: Int64[np.ndarray, "runs 2"], n_pixels: int, words: list[str]) -> None:
    """Refuses runs that are empty or leave the image, naming the first as it was written."""
    outside = (runs < 1).any(1) | (runs.sum(1) - 1 > n_pixels)
    if outside.any():
        first = int(outside.argmax())
        raise ValueError(
            f"run-length encoding has start {words[2 * first]} length {words[2 * first + 1]}, "
            f"expected both from 1 and the run within {n_pixels} pixels"
        )
