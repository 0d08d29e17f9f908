"""The strip that compares explainers: one image, and the map of each over it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from textwrap import fill

import numpy as np
from jaxtyping import Float
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellxai.figures.colours import CAUSE_OUTLINE, CELL_OUTLINE, EMPTY
from cellxai.figures.overlay import Regions, draw_signed_scale, outline, robust_limit, tint_by_sign
from cellxai.figures.style import DPI, PAGE_WIDTH, STYLE, TITLE_LETTERS, drawing, picture_axes

MOST_COLUMNS = 4


@dataclass(frozen=True)
class Comparison:
    """One image and what several explainers say of it.

    Args:
        title: Which image, which class.
        image: In [0, 1].
        maps: Signed evidence per pixel by explainer; each has its own colour scale.
        notes: One line under a map; an explainer with a note and no map gets an empty frame.
        mask: The cells, as instance labels or as one region, outlined on the original.
        cause: Non-zero on the pixels that make the class, outlined on the original.
        score: What the maps explain, in words.
        meanings: What a map says where it is no evidence for or against, by explainer.
    """

    title: str
    image: Float[np.ndarray, "h w 3"]
    maps: Mapping[str, Float[np.ndarray, "h w"]]
    notes: Mapping[str, str] = field(default_factory=dict)
    mask: Regions | None = None
    cause: Regions | None = None
    score: str = "score of the class"
    meanings: Mapping[str, str] = field(default_factory=dict)

    @property
    def explainers(self) -> list[str]:
        """Names in the order of the frames: those with a map, then those with a note alone."""
        return [*self.maps, *(name for name in self.notes if name not in self.maps)]

    @property
    def without_direction(self) -> list[str]:
        """Explainers whose maps are no evidence for or against."""
        return [name for name in self.maps if self.meanings.get(name)]


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Draws the original, then the map of every explainer over the grey image.

    Args:
        comparison: What is drawn.
        path: The PNG to write.
    """
    with drawing(path, *_size(comparison), sheet=True) as figure:
        _compose(figure, comparison)


def comparison_figure(comparison: Comparison) -> Figure:
    """The same as a figure that is not written anywhere."""
    with rc_context(STYLE):
        figure = Figure(figsize=_size(comparison), layout="compressed", dpi=DPI)
        _compose(figure, comparison)
    return figure


def _shape(comparison: Comparison) -> tuple[int, int]:
    """Rows and columns of the frames."""
    n_frames = len(comparison.explainers) + 1
    rows = ceil(n_frames / MOST_COLUMNS)
    return rows, max(ceil(n_frames / rows), 2)


def _size(comparison: Comparison) -> tuple[float, float]:
    """Width and height in inches."""
    rows, columns = _shape(comparison)
    width = PAGE_WIDTH / max(columns, 3)
    height = width * comparison.image.shape[0] / comparison.image.shape[1] + 0.5
    return columns * width, rows * height + 0.8


def _compose(figure: Figure, comparison: Comparison) -> None:
    panels = list(figure.subplots(*_shape(comparison), squeeze=False).flat)
    for axes in panels:
        picture_axes(axes)
    _draw_original(panels[0], comparison)
    for axes, name in zip(panels[1:], comparison.explainers, strict=False):
        _draw_map(axes, comparison, name)
    ends, remark = legend_of(comparison)
    draw_signed_scale(figure, panels, dict(zip((-1, 0, 1), ends, strict=True)), remark=remark)
    figure.suptitle(fill(comparison.title, TITLE_LETTERS))


def legend_of(comparison: Comparison) -> tuple[tuple[str, str, str], str]:
    """What stands under the ends of the scale, and a remark on whose maps it does not speak of."""
    others = comparison.without_direction
    if others and len(others) == len(comparison.maps):
        return ("negative", "0", "positive"), "; what a map says stands under it"
    ends = f"lowers the {comparison.score}", "0", f"raises the {comparison.score}"
    names = ", ".join(others)
    return ends, f"\nnot of {names}, where green is strong: see under the map" if others else ""


def _draw_original(axes: Axes, comparison: Comparison) -> None:
    axes.imshow(comparison.image)
    axes.set_title("original")
    lines = []
    if comparison.mask is not None:
        outline(axes, comparison.mask, CELL_OUTLINE, 0.9)
        lines.append("blue: cells")
    if comparison.cause is not None:
        outline(axes, comparison.cause != 0, CAUSE_OUTLINE, 1.3)
        lines.append("yellow: planted cause")
    axes.set_xlabel(", ".join(lines), fontsize=7)


def _draw_map(axes: Axes, comparison: Comparison, name: str) -> None:
    image = comparison.image
    axes.set_title(name)
    axes.set_xlabel(fill(comparison.notes.get(name, ""), 44), fontsize=7)
    if name not in comparison.maps:
        axes.text(0.5, 0.5, "no map", transform=axes.transAxes, ha="center", va="center")
        axes.set(xlim=(0, image.shape[1]), ylim=(image.shape[0], 0), aspect="equal")
        axes.set_facecolor(EMPTY)
        return
    values = comparison.maps[name]
    axes.imshow(tint_by_sign(image, values, robust_limit(values)))
