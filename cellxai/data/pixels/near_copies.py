"""Which images show the same: copies that were turned, mirrored, resized, recompressed, brightened.

Such copies in training and in test make an accuracy of what was learnt by heart. Two images are
compared by the correlation of their detail, small and freed of slow shading, which all images of a
microscope share. All pairs are looked through, in 6 s for 20 000 images on one core: a bound that
holds for every turned or mirrored version at once leaves few pairs to be compared themselves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float16, Float32, Int, UInt

SIDE = 32  # pixels: fine enough for the grain of one cell, coarse enough for a recompressed copy
SHADING = SIDE / 16  # pixels: standard deviation of the blur that is taken away
# Of 300 white blood cells, pairs above it are one cell photographed twice, and other cells reach
# 0.87; frames of one microscope reach 0.75, and 47 cultures of Sartorius 0.64.
SAME = 0.9
N_COLOURS = 3
LARGE, MIDDLE = 1024, 512  # pixels: larger images are first brought to a middle size
N_KEPT = 512  # of the 1024 numbers of a bound: half the work, and the pairs left hardly more
BLOCK = 2048  # images that are compared with as many at once


@dataclass(frozen=True)
class NearCopy:
    """Two images that show the same.

    Args:
        first: Place of the one that comes first.
        second: Place of the other.
        similarity: Correlation of their detail, from :data:`SAME` to 1.
    """

    first: int
    second: int
    similarity: float


def detail_of(
    pixels: UInt[np.ndarray, "h w *p"] | Float32[np.ndarray, "h w *p"],
) -> Float16[np.ndarray, "side side"]:
    """The detail of an image in 32×32 numbers of norm 1; zeros where it has none.

    Of RGB it is that of its grey, of other planes that of their mean at equal spread.
    """
    if pixels.ndim == 3 and pixels.shape[2] != N_COLOURS:
        pixels = mean_plane(pixels)
    if max(pixels.shape[:2]) > LARGE:  # else its numbers would take four times its memory
        pixels = cv2.resize(pixels, (MIDDLE, MIDDLE), interpolation=cv2.INTER_AREA)
    levels = pixels.astype(np.float32)
    grey = cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY) if levels.ndim == 3 else levels
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    detail = small - cv2.GaussianBlur(small, (0, 0), SHADING)
    detail -= detail.mean()
    norm = float(np.linalg.norm(detail))
    if norm <= 1e-4 * float(np.abs(small).max(initial=1.0)):  # rounding, of a blank image
        return np.zeros((SIDE, SIDE), np.float16)
    return (detail / norm).astype(np.float16)


def mean_plane(
    pixels: UInt[np.ndarray, "h w p"] | Float32[np.ndarray, "h w p"],
) -> UInt[np.ndarray, "h w"]:
    """The mean over planes, each at a spread of one before, so that a faint stain counts as well.

    In the levels of 16 bits: the detail is of correlations, and no unit of it is left.
    """
    least = 1e-6 if pixels.dtype.kind == "f" else 1.0  # of a blank plane
    spreads = [max(float(plane.std()), least) for plane in np.moveaxis(pixels, -1, 0)]
    weights = np.float32(1 / np.array(spreads))
    total = (pixels.astype(np.float32) * weights).sum(-1)
    low, high = float(total.min()), float(total.max())
    return ((total - low) * (65535 / max(high - low, 1e-6))).astype(np.uint16)


def find_near_copies(details: Float16[np.ndarray, "n side side"]) -> list[NearCopy]:
    """Pairs whose detail correlates by :data:`SAME` or more, in some turned version.

    Images of equal detail are each paired with the first of them, and that one alone with others.

    Args:
        details: What :func:`detail_of` gives of each image.
    """
    first_of: dict[bytes, int] = {}
    copies = []
    for place in np.flatnonzero(details.any((1, 2))).tolist():
        first = first_of.setdefault(details[place].tobytes(), place)
        if first != place:
            copies.append(NearCopy(first, place, 1.0))
    places = np.array(list(first_of.values()), dtype=np.int64)
    for pairs in candidate_pairs(bound_vectors(details[places])):
        near = places[pairs]
        similarities = correlate(details[near[:, 0]], details[near[:, 1]])
        copies += [
            NearCopy(int(first), int(second), float(similarity))
            for (first, second), similarity in zip(near, similarities, strict=True)
            if similarity >= SAME
        ]
    return copies


def correlate(
    details: Float16[np.ndarray, "m side side"], others: Float16[np.ndarray, "m side side"]
) -> Float32[np.ndarray, " m"]:
    """The largest correlation of each detail with eight turned and mirrored versions of another."""
    wide, versions = details.astype(np.float32), others.astype(np.float32)
    turned = [np.rot90(v, k, (1, 2)) for v in (versions, versions[:, ::-1]) for k in range(4)]
    return np.max([(wide * version).sum((1, 2)) for version in turned], axis=0)


def bound_vectors(details: Float16[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n k"]:
    """Vectors that are no farther apart than any turned versions of two details.

    A mirrored image has the cosine transform of the image but for signs, and a transposed one the
    transposed transform; absolute values, and the sum and the absolute difference of either
    half, forget both. None of the steps lets two vectors part from each other.
    """
    upper, n = np.triu_indices(SIDE, 1), len(details)
    vectors = np.empty((n, SIDE * SIDE), np.float32)
    for place, detail in enumerate(details):
        size = np.abs(cv2.dct(detail.astype(np.float32)))
        half, other = size[upper], size.T[upper]
        sums, differences = (half + other) / np.sqrt(2), np.abs(half - other) / np.sqrt(2)
        vectors[place] = np.concatenate([np.diag(size), sums, differences])
    return vectors[:, np.argsort(-vectors.var(0))[:N_KEPT]] if n else vectors[:, :N_KEPT]


def candidate_pairs(
    vectors: Float32[np.ndarray, "n k"],
) -> Iterator[Int[np.ndarray, "m 2"]]:
    """Pairs of places whose vectors are near enough for details that correlate by SAME."""
    # |a − b|² = 2 (1 − correlation) for details of norm 1; the slack is for their 16 bits.
    farthest = 2 * (1 - SAME) + 0.01
    halves, ones = -(vectors**2).sum(1, keepdims=True) / 2, np.ones((len(vectors), 1), np.float32)
    left, right = np.hstack([vectors, halves, ones]), np.hstack([vectors, ones, halves])
    for start in range(0, len(vectors), BLOCK):
        for begin in range(start, len(vectors), BLOCK):
            # Minus half of the squared distances, in one product.
            near = left[start : start + BLOCK] @ right[begin : begin + BLOCK].T >= -farthest / 2
            pairs = np.argwhere(near) + np.array([start, begin])
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
            for chunk in range(0, len(pairs), BLOCK):
                yield pairs[chunk : chunk + BLOCK]


def group_copies(copies: Sequence[NearCopy], n_images: int) -> Int[np.ndarray, " n"]:
    """A number for each image that it shares with its copies, and with theirs."""
    groups = np.arange(n_images)

    def root(place: int) -> int:
        while groups[place] != place:
            groups[place] = groups[groups[place]]
            place = int(groups[place])
        return place

    for copy in copies:
        first, second = sorted((root(copy.first), root(copy.second)))
        groups[second] = first
    return np.array([root(place) for place in range(n_images)], dtype=np.int64)
