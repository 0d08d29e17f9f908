"""The rows that densities are fitted to: of all images, or of as many as memory should hold."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.views import View
from cellxai.trained.rows import Rows, RowSource

MOST_ROWS = 50_000  # that a density is fitted to; of places, equally many of each image
HELD_NUMBERS = 30_000_000  # of views with one row an image, all together: 120 MB of float32
IMAGES_AT_ONCE = 128
SPARE = 2  # places are kept for fits to half of the images, which take twice as many of each


def draw_taught(source: RowSource, seed: int) -> Int[Tensor, " m"]:
    """The images that densities are fitted to, ascending: all, or as many drawn at random."""
    n = len(source)
    first = source.of(torch.zeros(1, dtype=torch.int64))
    width = sum(rows.shape[1] for rows in first.values() if rows.ndim == 2)
    most = max(2, min(MOST_ROWS, HELD_NUMBERS // max(1, width)))
    if n <= most:
        return torch.arange(n)
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(n, generator=generator)[:most].sort().values


def hold_rows(
    source: RowSource, images: Int[Tensor, " m"], views: Mapping[str, View], seed: int
) -> dict[str, Float[Tensor, "m ..."]]:
    """What views see of some images, of places only as many as a fit may take, at random.

    Raises:
        ValueError: If a number is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    most_places = max(1, SPARE * MOST_ROWS // len(images))
    held: dict[str, Tensor] = {}
    for start in range(0, len(images), IMAGES_AT_ONCE):
        chunk = images[start : start + IMAGES_AT_ONCE]
        seen = source.of(chunk)
        check_finite(seen, chunk, views)
        for name in views:
            rows = draw_places(seen[name], most_places, generator)
            if name not in held:
                held[name] = rows.new_empty(len(images), *rows.shape[1:])
            held[name][start : start + len(chunk)] = rows
    return held


def draw_places(
    rows: Float[Tensor, "b ..."], n_places: int, generator: torch.Generator
) -> Float[Tensor, "b ..."]:
    """At most so many places of each image, in random order; single rows as they are."""
    if rows.ndim == 2:
        return rows
    places = rows.flatten(1, -2)
    order = torch.rand(places.shape[:2], generator=generator).argsort(1)[:, :n_places]
    return places.gather(1, order[..., None].expand(-1, -1, places.shape[2]))


def check_finite(rows: Rows, images: Int[Tensor, " m"], views: Mapping[str, Any]) -> None:
    """Refuses rows from which nothing can be learned.

    Args:
        rows: By view.
        images: The number of each image, for the message.
        views: The views to check.

    Raises:
        ValueError: If a number is not finite.
    """
    for name in views:
        broken = ~rows[name].isfinite().flatten(1).all(1)
        if broken.any():
            image = int(images[broken.nonzero()[0]])
            raise ValueError(
                f"view {name!r} of image {image} is not finite; leave the image or view out"
            )
