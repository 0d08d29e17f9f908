"""Which page of a TIFF is which plane: by the config, by ImageJ, by tifffile, or not at all."""

import json
import math
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from cellxai.data.formats.faults import ImageFault

IMAGEJ_NUMBER = re.compile(r"^(images|channels|slices|frames)=(\d{1,9})\s*$", re.MULTILINE)
MAX_TEXT = 2**20  # of a description that is not OME-XML
Pages = Int[np.ndarray, "t c z"]


def pages_by_axes(axes: Sequence[tuple[str, int | None]], n_pages: int, apart: int = 1) -> Pages:
    """The page of each plane where the order of the axes is known.

    Args:
        axes: The slowest first, with sizes; at most one of the axes of pages without.
        n_pages: Pages to deal out.
        apart: Planes that lie apart in one page of the file, and are counted as pages here.

    Raises:
        ImageFault: If the sizes are not known, or do not multiply to the number of pages.
    """
    letters = "".join(letter for letter, _ in axes)
    stored = letters.replace("S", "")
    if not stored.endswith("YX"):
        raise ImageFault(
            f"transforms.stack.axes={letters}, pages of a TIFF are rows: expected YX at the end"
        )
    leading = [(letter, size) for letter, size in axes if letter in "TCZ"]
    unknown = [letter for letter, size in leading if size is None]
    if apart > 1 and len(unknown) == 2 and leading[-1][1] is None:
        leading[-1] = unknown.pop(), apart
    known = math.prod(size for _, size in leading if size is not None)
    if len(unknown) > 1 and n_pages > 1:
        numbered = "".join(f"{x}n" if x == unknown[-1] else x for x in letters)
        raise ImageFault(
            f"{n_pages} pages, and transforms.stack.axes={letters} does not say how many of each "
            f"there are; pass {numbered} with a number for n"
        )
    rest = n_pages // known if len(unknown) == 1 else 1
    sizes = [
        rest if size is None and letter == unknown[0] else size or 1 for letter, size in leading
    ]
    if math.prod(sizes) != n_pages:
        wanted = "".join(f"{letter}{size or ''}" for letter, size in axes)
        raise ImageFault(
            f"{n_pages} pages do not fit to transforms.stack.axes={wanted}; pass other numbers, or "
            "null for what the file says"
        )
    return as_tcz("".join(letter for letter, _ in leading), sizes, n_pages)


def as_tcz(letters: str, sizes: Sequence[int], n_pages: int) -> Pages:
    """Page numbers by time, channel and slice; an axis that is not there has one."""
    full = [*letters, *(letter for letter in "TCZ" if letter not in letters)]
    shape = [*sizes, *[1] * (3 - len(sizes))]
    return np.arange(n_pages).reshape(shape).transpose([full.index(letter) for letter in "TCZ"])


def pages_of_imagej(description: str) -> Pages | None:
    """The order that ImageJ states: channels of a slice, slices of a time point, time points.

    ``None`` where it is another program's description, or ImageJ calls them images alone.
    """
    if not description.startswith("ImageJ="):
        return None
    said = {name: int(number) for name, number in IMAGEJ_NUMBER.findall(description[:MAX_TEXT])}
    sizes = [said.get(name, 1) for name in ("frames", "slices", "channels")]
    n_pages = said.get("images", math.prod(sizes))
    if n_pages < 1 or math.prod(sizes) != n_pages:
        return None
    return as_tcz("TZC", sizes, n_pages)


def axes_of_tifffile(description: str) -> list[tuple[str, int | None]] | None:
    """The axes that tifffile states in JSON with their sizes; ``None`` where it states none."""
    if not description.startswith("{") or len(description) > MAX_TEXT:
        return None
    try:
        said = json.loads(description)
        shape, axes = said["shape"], said["axes"]
        known = set("YX") <= set(axes) <= set("TCZYXS") and len(set(axes)) == len(axes)
        if not known or len(axes) != len(shape) or not all(type(n) is int for n in shape):
            return None
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return list(zip(axes, shape, strict=True))
