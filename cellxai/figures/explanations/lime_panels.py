"""LIME's three panels of one image: the original, the strongest superpixels, both signs."""

from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from cellxai.figures.colours import INK
from cellxai.figures.explanations.lime_mask import LimeMask, image_and_mask
from cellxai.figures.overlay import outline, tint_by_sign
from cellxai.figures.style import PAGE_WIDTH, TITLE_LETTERS, drawing, picture_axes

N_STRONGEST = 3  # superpixels that stay in the second panel
N_SIGNS = 6  # superpixels that carry a + or a −


@dataclass(frozen=True)
class LimePanels:
    """An image and what LIME says of its superpixels.

    Args:
        image: In [0, 1].
        superpixels: Labels 0…s−1.
        coefficients: Coefficients of the surrogate, one per superpixel; NaN is padding.
        title: Which image, which class.
    """

    image: Float[np.ndarray, "h w 3"]
    superpixels: Int[np.ndarray, "h w"]
    coefficients: Float[np.ndarray, " s"]
    title: str


def draw_lime_panels(panels: LimePanels, path: Path, mask: LimeMask | None = None) -> None:
    """Draws the original, the strongest superpixels, and both signs.

    Args:
        panels: What is drawn.
        path: The PNG to write.
        mask: What the second panel shows, as the ``lime`` package makes it, its superpixels
            outlined; None for the strongest that speak for the class, the rest hidden.
    """
    image, superpixels = panels.image, panels.superpixels
    coefficients = np.nan_to_num(panels.coefficients)
    values = coefficients[superpixels]
    both = tint_by_sign(image, values, limit=np.abs(values).max() or 1.0)
    height = PAGE_WIDTH / 3 * image.shape[0] / image.shape[1] + 0.55
    with drawing(path, PAGE_WIDTH, height, sheet=True) as figure:
        original, strongest, signs = figure.subplots(1, 3)
        picture_axes(original, "original").imshow(image)
        if mask is None:
            _draw_strongest(strongest, panels)
        else:
            _draw_mask(strongest, panels, mask)
        picture_axes(signs, "for (green +), against (orange −)").imshow(both)
        outline(signs, superpixels, "white", 0.5)
        _write_signs(signs, superpixels, coefficients)
        figure.suptitle(fill(panels.title, TITLE_LETTERS))


def _draw_strongest(axes: Axes, panels: LimePanels) -> None:
    kept = top_positive(panels.coefficients, N_STRONGEST)
    words = f"{len(kept)} strongest for it, rest hidden"
    picture_axes(axes, words if len(kept) else "no superpixel speaks for it")
    axes.imshow(hide_rest(panels.image, panels.superpixels, kept))


def _draw_mask(axes: Axes, panels: LimePanels, options: LimeMask) -> None:
    shown, mask = image_and_mask(panels.image, panels.superpixels, panels.coefficients, options)
    picture_axes(axes, str(options) if mask.any() else f"{options}: none").imshow(shown)
    outline(axes, mask, "yellow", 0.9)


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
