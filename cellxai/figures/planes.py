"""Images of any number of planes as pictures: a composite in colour, and single planes in a row."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from textwrap import fill

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from cellxai.figures.colours import PLANES
from cellxai.figures.style import PAGE_WIDTH, TITLE_LETTERS, drawing, picture_axes

MOST_COLUMNS = 4
Picture = Float[np.ndarray, "h w 3"]


def as_rgb(image: Float[np.ndarray, "h w p"], names: Sequence[str] = ()) -> Picture:
    """An image in [0, 1] as a picture: grey, RGB, or the composite of planes that have names."""
    n_planes = image.shape[2]
    if n_planes == 1:
        return np.repeat(image, 3, axis=-1)
    return image if n_planes == 3 and not names else composite(image)


def as_picture(image: UInt8[np.ndarray, "h w p"], names: Sequence[str] = ()) -> np.ndarray:
    """8-bit pixels as a picture takes them: [h w] of one plane, else [h w 3]."""
    if image.shape[2] == 1:
        return image[..., 0]
    if image.shape[2] == 3 and not names:
        return image
    return np.rint(composite(image / 255) * 255).astype(np.uint8)


def composite(image: Float[np.ndarray, "h w p"]) -> Picture:
    """The first four planes in a colour each, added and cut off at white; one plane is grey.

    Magenta and green, then yellow and cyan: two planes stay apart for every kind of colour vision,
    and what both show is white. More than four are told by single planes alone.
    """
    if image.shape[2] == 1:
        return np.repeat(image, 3, axis=-1)
    colours = np.array([to_rgb(colour) for colour in PLANES])
    shown = image[..., : len(colours)]
    return np.minimum(shown @ colours[: shown.shape[2]], 1)


def describe_colours(names: Sequence[str]) -> str:
    """Which colour of a composite is which plane, in words."""
    if len(names) < 2:
        return ""
    shown = ", ".join(
        f"{name} {colour}" for name, colour in zip(names, PLANES.values(), strict=False)
    )
    return f"{shown}; {len(names) - len(PLANES)} not shown" if len(names) > len(PLANES) else shown


def draw_planes(
    image: Float[np.ndarray, "h w p"], names: Sequence[str], path: Path, title: str
) -> None:
    """Draws the composite and every plane by itself, from black at 0 to white at 1.

    Args:
        image: In [0, 1].
        names: Of its planes.
        path: The PNG to write.
        title: Which image.
    """
    rows = ceil((len(names) + 1) / MOST_COLUMNS)
    columns = ceil((len(names) + 1) / rows)
    width = PAGE_WIDTH / max(columns, 3)
    height = rows * (width * image.shape[0] / image.shape[1] + 0.4) + 0.4
    with drawing(path, columns * width, height, sheet=True) as figure:
        panels = [picture_axes(axes) for axes in figure.subplots(rows, columns, squeeze=False).flat]
        panels[0].imshow(composite(image))
        panels[0].set_title("composite")
        panels[0].set_xlabel(fill(describe_colours(names), 40), fontsize=7)
        for place, name in enumerate(names):
            draw_plane(panels[place + 1], image[..., place], name)
        for axes in panels[len(names) + 1 :]:
            axes.set_visible(False)
        figure.suptitle(fill(title, TITLE_LETTERS))


def draw_plane(axes: Axes, plane: Float[np.ndarray, "h w"], name: str) -> None:
    """One plane in grey under its name."""
    axes.imshow(plane, cmap="gray", vmin=0, vmax=1)
    axes.set_title(name)
