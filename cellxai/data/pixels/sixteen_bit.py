"""Images of more than 8 bits brought to the 8 bits that everything else works on."""

from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from cellxai.data.image_formats import ImageFault
from cellxai.data.pixels.fractions import fractions_to_8_bits

SixteenBit = Literal["percentile", "full", "refuse"]
RULES = ("percentile", "full", "refuse")
MID_GREY = 128  # an image of one level has no contrast to show, and is neither black nor white


def to_8_bits(
    image: UInt16[np.ndarray, "h w *c"] | Float32[np.ndarray, "h w *c"],
    rule: SixteenBit,
    percentiles: tuple[float, float],
    full_scale: int,
) -> UInt8[np.ndarray, "h w *c"]:
    """The image in 0…255; of colours, all channels by the same two levels, so that hues stay.

    Raises:
        ImageFault: If the rule is ``refuse``, or a pixel is above the full scale.
    """
    if image.dtype.kind == "f":
        return fractions_to_8_bits(image, rule, percentiles, full_scale)
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
    share = (np.arange(2**16) - low) / (high - low)
    table = (share.clip(0, 1) * 255).round().astype(np.uint8)
    return table[image]
