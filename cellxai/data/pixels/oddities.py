"""What is odd about an image that can be read: tiny, of one level, twice there, of other depth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt

from cellxai.files.identity import hash_content

SMALLEST_SIDE = 8  # pixels: a network that halves the sides three times has nothing left


@dataclass(frozen=True)
class PixelLook:
    """What is known of an image when its pixels are no longer at hand.

    Args:
        shape: Height, width and, of colours, the number of planes.
        bits: 8 or 16; 32 of fractions.
        level: The grey level or colour of all pixels; ``None`` where they differ.
        content: SHA-256 of shape and pixels.
    """

    shape: tuple[int, ...]
    bits: int
    level: tuple[int | float, ...] | None
    content: str


def look_at(pixels: UInt[np.ndarray, "h w *p"] | Float32[np.ndarray, "h w *p"]) -> PixelLook:
    """Shape, depth, contrast and identity of an image."""
    planes = pixels.reshape(-1, *pixels.shape[2:])
    level = tuple(value.item() for value in np.atleast_1d(planes[0]))
    content = hash_content(str((pixels.shape, pixels.dtype)), np.ascontiguousarray(pixels))
    same = bool((planes == planes[0]).all())
    return PixelLook(pixels.shape, 8 * pixels.itemsize, level if same else None, content)


def describe_odd(
    looks: Mapping[str, PixelLook], labels: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Ids of odd images, each with a line that says what is odd.

    Args:
        looks: Of all readable images, by id.
        labels: Their classes, by id.
    """
    deep = [image_id for image_id, look in looks.items() if look.bits > 8]
    mixed = 0 < len(deep) < len(looks)
    first: dict[str, str] = {}
    for image_id, look in looks.items():
        height, width = look.shape[:2]
        if min(height, width) < SMALLEST_SIDE:
            yield image_id, f"{height}×{width} pixels, fewer than {SMALLEST_SIDE} on a side"
        if look.level is not None and height * width > 1:
            yield image_id, f"every pixel is {', '.join(map(str, look.level))}"
        if mixed and image_id == deep[0]:
            kinds = {looks[other].bits for other in deep}
            depth = {16: "16 bits", 32: "fractions"}
            named = " or ".join(depth[bits] for bits in sorted(kinds))
            others = f"{len(deep)} of {len(looks)} images have {named}, the others 8"
            yield image_id, f"{others}; transforms.sixteen_bit says how they are brought together"
        twin = first.setdefault(look.content, image_id)
        if twin != image_id:
            same = labels[twin] == labels[image_id]
            of_class = "" if same else f", which is {labels[twin]!r} and this {labels[image_id]!r}"
            yield image_id, f"the same pixels as image {twin}{of_class}"
