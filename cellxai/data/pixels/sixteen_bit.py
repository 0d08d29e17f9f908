"""Images of more than 8 bits brought to the 8 bits that everything else works on."""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64, UInt8, UInt16

from cellxai.data.image_formats import ImageFault
from cellxai.data.pixels.fractions import fractions_to_8_bits

SixteenBit = Literal["percentile", "training", "full", "refuse"]
RULES = ("percentile", "training", "full", "refuse")
Levels = list[tuple[int, int]]  # what becomes 0 and 255, of each plane
N_LEVELS = 2**16
MID_GREY = 128  # an image of one level has no contrast to show, and is neither black nor white


def to_8_bits(
    image: UInt16[np.ndarray, "h w *c"] | Float32[np.ndarray, "h w *c"],
    rule: SixteenBit,
    percentiles: tuple[float, float],
    full_scale: int,
    levels: tuple[int, int] | None = None,
) -> UInt8[np.ndarray, "h w *c"]:
    """The image in 0…255; of colours, all channels by the same two levels, so that hues stay.

    Raises:
        ImageFault: If the rule is ``refuse`` or ``training`` without levels, or a pixel is above
            the full scale.
    """
    if image.dtype.kind == "f":
        return fractions_to_8_bits(image, rule, percentiles, full_scale)
    if rule == "training":
        if levels is None:
            raise ImageFault(
                "16-bit pixels, and sixteen_bit=training knows no levels: `cellxai fit` measures "
                "them in training images of 16 bits; convert the file to the bits of those, or "
                "pass transforms.levels or sixteen_bit=percentile to fit"
            )
        return stretch(image, *levels)
    if rule == "refuse":
        raise ImageFault(
            "16-bit pixels, and sixteen_bit=refuse; pass percentile or full, or convert the file"
        )
    if rule == "full":
        return stretch_to_full_scale(image, full_scale)
    return stretch(image, *darkest_and_brightest(image, percentiles))


def stretch_to_full_scale(
    image: UInt16[np.ndarray, "h w *c"], full_scale: int
) -> UInt8[np.ndarray, "h w *c"]:
    """0 as 0 and the full scale as 255, the same in every image.

    Raises:
        ImageFault: If a pixel is above the full scale, and would be cut off.
    """
    if image.max(initial=0) > full_scale:
        raise ImageFault(
            f"a pixel of {image.max()} is above full_scale={full_scale}; pass the camera's largest "
            "value, or sixteen_bit=percentile"
        )
    return stretch(image, 0, full_scale)


def darkest_and_brightest(
    image: UInt16[np.ndarray, "h w *c"], percentiles: tuple[float, float]
) -> tuple[int, int]:
    """The levels at two percentiles; the extremes where these are one, as of specks on nothing."""
    low, high = np.percentile(image, percentiles, method="inverted_cdf")
    return (int(low), int(high)) if low < high else (int(image.min()), int(image.max()))


def stretch(
    image: UInt16[np.ndarray, "h w *c"], low: int, high: int
) -> UInt8[np.ndarray, "h w *c"]:
    """``low`` as 0 and ``high`` as 255, linearly between, cut off beyond; mid-grey where equal."""
    if low == high:
        return np.full(image.shape, MID_GREY, dtype=np.uint8)
    # By a table: there are fewer levels than pixels, and a level cannot come out in two ways.
    share = (np.arange(N_LEVELS) - low) / (high - low)
    table = (share.clip(0, 1) * 255).round().astype(np.uint8)
    return table[image]


def check_levels(levels: Levels | None, n_planes: int) -> None:
    """Raises ``ValueError`` unless there are two levels for each plane, the darker first."""
    if levels is None:
        return
    right = all(len(pair) == 2 and 0 <= pair[0] <= pair[1] < N_LEVELS for pair in levels)
    if len(levels) != n_planes or not right:
        raise ValueError(
            f"levels={[list(pair) for pair in levels]}: expected {n_planes} pairs of a darkest and "
            "a brightest level in 0…65535"
        )


def levels_of_all(
    images: Iterable[UInt16[np.ndarray, "h w p"]], n_planes: int, percentiles: tuple[float, float]
) -> Levels | None:
    """The levels at two percentiles of each plane of all images together; ``None`` of no image.

    Exact, from counts of every level: memory does not grow with the images. As of one image, the
    extremes take the place of percentiles that are one level.
    """
    counts = np.zeros((n_planes, N_LEVELS), np.int64)
    for image in images:
        for place in range(n_planes):
            counts[place] += np.bincount(image[..., place].ravel(), minlength=N_LEVELS)
    return [levels_of_counts(plane, percentiles) for plane in counts] if counts.any() else None


def levels_of_counts(
    counts: Int64[np.ndarray, " levels"], percentiles: Sequence[float]
) -> tuple[int, int]:
    """The levels at two percentiles of pixels of which so many have each level."""
    below = counts.cumsum()
    # The definition of numpy's "inverted_cdf": the first level with so large a share up to it.
    ranks = [max(int(np.ceil(below[-1] * share / 100)), 1) for share in percentiles]
    low, high = (int(np.searchsorted(below, rank)) for rank in ranks)
    present = np.flatnonzero(counts)
    return (low, high) if low < high else (int(present[0]), int(present[-1]))
