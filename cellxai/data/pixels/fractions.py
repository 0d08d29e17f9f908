"""Images of fractions brought to 8 bits, by the rules for 16."""

import numpy as np
from jaxtyping import Float, Float32, UInt8

from cellxai.data.formats.faults import ImageFault

MID_GREY = 128  # as of 16 bits: an image of one level has no contrast to show
REFUSALS = {
    "refuse": "pass percentile or full, or convert the file",
    "training": "whose levels are whole numbers; pass percentile or full",
}


def fractions_to_8_bits(
    image: Float32[np.ndarray, "h w *p"],
    rule: str,
    percentiles: tuple[float, float],
    full_scale: int,
) -> UInt8[np.ndarray, "h w *p"]:
    """The image in 0…255; where its values are whole numbers, as the same image of 16 bits.

    Args:
        image: Finite values.
        rule: ``percentile`` stretches between the image's own percentiles, whatever its unit;
            ``full`` takes 0 to ``full_scale``, which is 1 of images in 0…1.
        percentiles: Shares of the pixels, in percent.
        full_scale: The value that becomes 255.

    Raises:
        ImageFault: If the rule refuses the image: a value below 0 or above the full scale would be
            cut off.
    """
    if rule in REFUSALS:
        raise ImageFault(f"floating-point pixels, and sixteen_bit={rule}, {REFUSALS[rule]}")
    if rule == "full":
        low, high = 0.0, float(full_scale)
        check_scale(image, full_scale)
    else:
        low, high = np.percentile(image, percentiles, method="inverted_cdf").tolist()
        low, high = (low, high) if low < high else (float(image.min()), float(image.max()))
    if low == high:
        return np.full(image.shape, MID_GREY, dtype=np.uint8)
    # Row by row, for float64 of a whole image takes eight times its result.
    levels = np.empty(image.shape, dtype=np.uint8)
    for row, values in zip(levels, image, strict=True):
        row[...] = share_of(values.astype(np.float64), low, high)
    return levels


def check_scale(image: Float32[np.ndarray, "h w *p"], full_scale: int) -> None:
    """Refuses an image with a value outside 0 to the full scale."""
    lowest, highest = image.min(initial=0.0), image.max(initial=0.0)
    if lowest < 0 or highest > full_scale:
        raise ImageFault(
            f"values from {lowest:g} to {highest:g} are not within 0 to full_scale={full_scale}; "
            "pass the largest value, or sixteen_bit=percentile"
        )


def share_of(
    values: Float[np.ndarray, "w *p"], low: float, high: float
) -> Float[np.ndarray, "w *p"]:
    """Values as levels of 0…255, whole numbers; halves to even."""
    return (((values - low) / (high - low)).clip(0, 1) * 255).round()
