"""Confusion matrix: which class is taken for which."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes

from cellxai.figures.colours import INK, SHARES
from cellxai.figures.style import drawing

MOST_CLASSES_WITH_TEXT = 25  # more do not fit: a cell is then smaller than two digits
MOST_CLASSES_WITH_SHARES = 12


def row_shares(matrix: Int[np.ndarray, "k k"]) -> Float[np.ndarray, "k k"]:
    """Share of each true class (row) that is taken for each class; 0 for a class without images."""
    return matrix / np.maximum(matrix.sum(1, keepdims=True), 1)


def accuracy_line(matrix: Int[np.ndarray, "k k"]) -> str:
    """``accuracy 95.0 %, misclassification 5.0 %``; empty without images."""
    n_images = int(matrix.sum())
    if n_images == 0:
        return ""
    accuracy = 100 * np.trace(matrix) / n_images
    return f"accuracy {accuracy:.1f} %, misclassification {100 - accuracy:.1f} %"


def draw_confusion(
    matrix: Int[np.ndarray, "k k"], classes: Sequence[str], path: Path, part: str
) -> None:
    """Draws counts, and shares of each row as colour.

    Args:
        matrix: Images by true class (row) and predicted class (column).
        classes: Names in the order of the rows.
        path: The PNG to write.
        part: Which images these are, for the title.
    """
    # Inches: a cell takes two lines of text while there are few, and shrinks when there are many.
    side = min(len(classes) * 0.95, 4 + len(classes) * 0.25)
    with drawing(path, max(side + 2.6, 6.2), side + 1.5) as figure:
        axes = figure.subplots()
        shares = row_shares(matrix)
        picture = axes.imshow(shares, cmap=SHARES, vmin=0, vmax=1)
        axes.grid(False)
        axes.spines[:].set_visible(False)
        _name_classes(axes, classes, accuracy_line(matrix))
        if len(classes) <= MOST_CLASSES_WITH_TEXT:
            _write_cells(axes, matrix, shares)
        n_images = int(matrix.sum())
        figure.suptitle(f"{part}: {n_images or 'no'} images", fontsize=10)
        bar = figure.colorbar(picture, ax=axes, label="share of the true class", shrink=0.8)
        bar.outline.set_visible(False)  # type: ignore[operator]


def _name_classes(axes: Axes, classes: Sequence[str], accuracy: str) -> None:
    ticks = range(len(classes))
    rotation = 0 if sum(map(len, classes)) < 10 * len(classes) and len(classes) <= 6 else 45
    aligned = {"rotation": rotation, "ha": "right" if rotation else "center"}
    axes.set_xticks(ticks, classes, rotation_mode="anchor", **aligned)
    axes.set_yticks(ticks, classes)
    axes.tick_params(length=0)
    axes.set(xlabel=f"predicted class\n{accuracy}", ylabel="true class")


def _write_cells(
    axes: Axes, matrix: Int[np.ndarray, "k k"], shares: Float[np.ndarray, "k k"]
) -> None:
    with_share = len(matrix) <= MOST_CLASSES_WITH_SHARES
    for (row, col), count in np.ndenumerate(matrix):
        text = f"{count}\n{100 * shares[row, col]:.0f} %" if with_share else f"{count}"
        colour = "white" if shares[row, col] > 0.5 else INK
        size = 10 if with_share else 7
        axes.text(col, row, text, ha="center", va="center", color=colour, fontsize=size)
