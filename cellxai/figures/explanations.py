"""Explanations of one image: the three panels of LIME, and a strip that compares explainers.

Green speaks for the explained class and orange-red against it, in every panel.
"""

from collections.abc import Mapping
from math import ceil
from pathlib import Path
from textwrap import fill

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from cellxai.figures.style import (
    INK,
    NEGATIVE,
    POSITIVE,
    SIGNED,
    SKY,
    YELLOW,
    drawing,
    picture_axes,
)

Regions = Int[np.ndarray, "h w"] | Bool[np.ndarray, "h w"]

ROBUST_PERCENTILE = 99.0  # one hot pixel must not turn the rest of a map white
STRONGEST_TINT = 0.65  # of the colour: cells stay visible under it
DARKEST = 0.3  # what black becomes under a map: on black neither colour can be told
N_SIGNS = 6
TITLE_WIDTH = 96  # characters across a full strip
MOST_COLUMNS = 4


def top_positive(coefficients: Float[np.ndarray, " s"], n_top: int) -> Int[np.ndarray, " t"]:
    """Labels of the ``n_top`` superpixels that speak most for the class, strongest first.

    Fewer where fewer coefficients are positive; a NaN coefficient is padding.
    """
    order = np.argsort(-np.nan_to_num(coefficients), kind="stable")
    return order[np.nan_to_num(coefficients)[order] > 0][:n_top]


def hide_rest(
    image: Float[np.ndarray, "h w 3"],
    superpixels: Int[np.ndarray, "h w"],
    kept: Int[np.ndarray, " t"],
) -> Float[np.ndarray, "h w 3"]:
    """The image with every superpixel black but those ``kept``."""
    return np.where(np.isin(superpixels, kept)[..., None], image, 0.0)


def tint_by_sign(
    image: Float[np.ndarray, "h w 3"], values: Float[np.ndarray, "h w"], limit: float
) -> Float[np.ndarray, "h w 3"]:
    """The image in pale grey, tinted green where ``values`` is positive, orange-red where negative.

    Args:
        image: In [0, 1].
        values: Signed evidence per pixel.
        limit: Strength of full tint; the tint grows linearly up to it.
    """
    values = np.nan_to_num(values)
    strength = np.minimum(np.abs(values) / limit, 1)[..., None] * STRONGEST_TINT
    colour = np.where((values > 0)[..., None], to_rgb(POSITIVE), to_rgb(NEGATIVE))
    grey = DARKEST + (1 - DARKEST) * image.mean(-1, keepdims=True)
    return (1 - strength) * grey + strength * colour


def robust_limit(values: Float[np.ndarray, "*shape"]) -> float:
    """Strength below which 99 % of the values lie, so that a colour scale is ±limit.

    The largest where 99 % are zero, and 1 for a map of zeros.
    """
    strengths = np.abs(values[np.isfinite(values)])
    if strengths.max(initial=0.0) == 0:
        return 1.0
    return float(np.percentile(strengths, ROBUST_PERCENTILE)) or float(strengths.max())


def boundary_segments(labels: Regions) -> Float[np.ndarray, "m 2 2"]:
    """Pixel edges between different labels as (x, y) line ends, pixel centres being integers."""
    y, x = np.nonzero(labels[:, 1:] != labels[:, :-1])
    upright = np.stack([np.stack([x + 0.5, y - 0.5], -1), np.stack([x + 0.5, y + 0.5], -1)], 1)
    y, x = np.nonzero(labels[1:] != labels[:-1])
    level = np.stack([np.stack([x - 0.5, y + 0.5], -1), np.stack([x + 0.5, y + 0.5], -1)], 1)
    return np.concatenate([upright, level]).astype(float)


def inner_pixel(region: Bool[np.ndarray, "h w"]) -> tuple[int, int]:
    """The (row, column) of the region's own pixel nearest to its centre of mass."""
    pixels = np.argwhere(region)
    row, column = pixels[((pixels - pixels.mean(0)) ** 2).sum(1).argmin()]
    return int(row), int(column)


def draw_lime_panels(
    image: Float[np.ndarray, "h w 3"],
    superpixels: Int[np.ndarray, "h w"],
    coefficients: Float[np.ndarray, " s"],
    path: Path,
    title: str,
    n_top: int = 3,
) -> None:
    """Draws the original, the strongest positive superpixels alone, and both signs.

    Args:
        image: In [0, 1].
        superpixels: Labels 0…s−1.
        coefficients: Of the surrogate, one per superpixel; NaN is padding.
        path: The PNG to write.
        title: Which image, which class.
        n_top: How many superpixels stay in the second panel.
    """
    kept = top_positive(coefficients, n_top)
    values = np.nan_to_num(coefficients)[superpixels]
    both = tint_by_sign(image, values, limit=np.abs(values).max() or 1.0)
    alone = f"{len(kept)} strongest for it, rest hidden"
    height = 9.6 / 3 * image.shape[0] / image.shape[1] + 0.55
    with drawing(path, 9.6, height, sheet=True) as figure:
        panels = figure.subplots(1, 3)
        picture_axes(panels[0], "original").imshow(image)
        picture_axes(panels[1], alone if len(kept) else "no superpixel speaks for it")
        panels[1].imshow(hide_rest(image, superpixels, kept))
        picture_axes(panels[2], "for (green +), against (orange −)").imshow(both)
        outline(panels[2], superpixels, "white", 0.5)
        _write_signs(panels[2], superpixels, np.nan_to_num(coefficients))
        figure.suptitle(fill(title, TITLE_WIDTH))


def outline(axes: Axes, labels: Regions, colour: str, width: float) -> None:
    """Draws the borders between regions, on the edges of the pixels."""
    axes.add_collection(
        LineCollection(list(boundary_segments(labels)), colors=colour, linewidths=width),
        autolim=False,
    )


def _write_signs(
    axes: Axes, superpixels: Int[np.ndarray, "h w"], coefficients: Float[np.ndarray, " s"]
) -> None:
    """Colour alone must not carry the sign."""
    for label in np.argsort(-np.abs(coefficients))[:N_SIGNS]:
        region = superpixels == label
        if coefficients[label] != 0 and region.any():
            row, column = inner_pixel(region)
            _label(axes, column, row, "+" if coefficients[label] > 0 else "−")


def _label(axes: Axes, x: float, y: float, text: str) -> None:
    halo = [withStroke(linewidth=2.5, foreground=INK)]
    style = {"color": "white", "fontsize": 13, "fontweight": "bold", "path_effects": halo}
    axes.text(x, y, text, ha="center", va="center", **style)


def draw_comparison(
    image: Float[np.ndarray, "h w 3"],
    maps: Mapping[str, Float[np.ndarray, "h w"]],
    path: Path,
    title: str,
    mask: Regions | None = None,
    cause: Regions | None = None,
    notes: Mapping[str, str] | None = None,
    score: str = "score of the class",
) -> None:
    """Draws the original, then the map of every explainer over the grey image.

    Args:
        image: In [0, 1].
        maps: Signed evidence per pixel by explainer; each has its own colour scale.
        path: The PNG to write.
        title: Which image, which class.
        mask: The cells, as instance labels or as one region, outlined on the original.
        cause: Non-zero on the pixels that make the class, outlined on the original.
        notes: One line under a map; an explainer with a note and no map gets an empty frame.
        score: What the maps explain, in words.
    """
    notes = notes or {}
    names = [*maps, *(name for name in notes if name not in maps)]
    rows = ceil((len(names) + 1) / MOST_COLUMNS)
    columns = max(ceil((len(names) + 1) / rows), 2)
    width = 9.6 / max(columns, 3)
    height = width * image.shape[0] / image.shape[1] + 0.5
    with drawing(path, columns * width, rows * height + 0.8, sheet=True) as figure:
        panels = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes in panels:
            picture_axes(axes)
        _draw_original(panels[0], image, mask, cause)
        for axes, name in zip(panels[1:], names, strict=False):
            _draw_map(axes, image, maps.get(name), name, notes.get(name, ""))
        _colour_scale(figure, panels, score)
        figure.suptitle(fill(title, TITLE_WIDTH))


def _draw_original(
    axes: Axes,
    image: Float[np.ndarray, "h w 3"],
    mask: Regions | None,
    cause: Regions | None,
) -> None:
    axes.imshow(image)
    axes.set_title("original")
    lines = []
    if mask is not None:
        outline(axes, mask, SKY, 0.9)
        lines.append("blue: cells")
    if cause is not None:
        outline(axes, cause != 0, YELLOW, 1.3)
        lines.append("yellow: planted cause")
    axes.set_xlabel(", ".join(lines), fontsize=7)


def _draw_map(
    axes: Axes,
    image: Float[np.ndarray, "h w 3"],
    values: Float[np.ndarray, "h w"] | None,
    name: str,
    note: str,
) -> None:
    axes.set_title(name)
    axes.set_xlabel(fill(note, 44), fontsize=7)
    if values is None:
        axes.text(0.5, 0.5, "no map", transform=axes.transAxes, ha="center", va="center")
        axes.set(xlim=(0, image.shape[1]), ylim=(image.shape[0], 0), aspect="equal")
        axes.set_facecolor("#f1f3f5")
        return
    axes.imshow(tint_by_sign(image, values, robust_limit(values)))


def _colour_scale(figure: Figure, panels: list[Axes], score: str) -> None:
    scale = ScalarMappable(Normalize(-1, 1), SIGNED)
    place = {"orientation": "horizontal", "fraction": 0.03, "aspect": 60, "pad": 0.02}
    bar = figure.colorbar(scale, ax=panels, ticks=[-1, 0, 1], **place)
    bar.ax.set_xticklabels([f"lowers the {score}", "0", f"raises the {score}"])
    # The outer labels would stick out of the picture if they stood centred under their ticks.
    for label, side in zip(bar.ax.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)
    bar.ax.tick_params(length=0, labelsize=8)
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.set_label("full colour at each map's own 99th percentile of strength", fontsize=7)
