"""LIME's three panels of one image: the original, the strongest superpixels, both signs."""

from pathlib import Path
from textwrap import fill

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from cellxai.figures.colours import INK
from cellxai.figures.overlay import outline, tint_by_sign
from cellxai.figures.style import PAGE_WIDTH, TITLE_LETTERS, drawing, picture_axes

N_SIGNS = 6  # superpixels that carry a + or a −


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
        coefficients: Coefficients of the surrogate, one per superpixel; NaN is padding.
        path: The PNG to write.
        title: Which image, which class.
        n_top: How many superpixels stay in the second panel.
    """
    kept = top_positive(coefficients, n_top)
    values = np.nan_to_num(coefficients)[superpixels]
    both = tint_by_sign(image, values, limit=np.abs(values).max() or 1.0)
    alone = f"{len(kept)} strongest for it, rest hidden"
    height = PAGE_WIDTH / 3 * image.shape[0] / image.shape[1] + 0.55
    with drawing(path, PAGE_WIDTH, height, sheet=True) as figure:
        panels = figure.subplots(1, 3)
        picture_axes(panels[0], "original").imshow(image)
        picture_axes(panels[1], alone if len(kept) else "no superpixel speaks for it")
        panels[1].imshow(hide_rest(image, superpixels, kept))
        picture_axes(panels[2], "for (green +), against (orange −)").imshow(both)
        outline(panels[2], superpixels, "white", 0.5)
        _write_signs(panels[2], superpixels, np.nan_to_num(coefficients))
        figure.suptitle(fill(title, TITLE_LETTERS))


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


def inner_pixel(region: Bool[np.ndarray, "h w"]) -> tuple[int, int]:
    """The (row, column) of the region's own pixel nearest to its centre of mass."""
    pixels = np.argwhere(region)
    row, column = pixels[((pixels - pixels.mean(0)) ** 2).sum(1).argmin()]
    return int(row), int(column)


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
