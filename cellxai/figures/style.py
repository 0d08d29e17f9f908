"""The look that all pictures share, and how a picture gets to disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellxai.figures.colours import FAINT, GREY, INK
from cellxai.files.folder import atomic

DPI = 120
PAGE_WIDTH = 9.6  # inches: pictures of the report are as wide as its page
TITLE_LETTERS = 96  # across a page

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 9,
    "text.color": INK,
    # Class names are the user's: one that holds a dollar sign is a name, not a formula.
    "text.parse_math": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.edgecolor": "none",
    "legend.fontsize": 8,
    "figure.titlesize": 11,
    "figure.titleweight": "bold",
    "figure.facecolor": "white",
    "savefig.dpi": DPI,
}


@contextmanager
def drawing(path: Path, width: float, height: float, *, sheet: bool = False) -> Iterator[Figure]:
    """An empty figure in our style; it is saved under ``path`` when the block ends.

    Args:
        path: The PNG to write, whole or not at all.
        width: In inches, of ``DPI`` pixels each.
        height: In inches.
        sheet: For pictures of a fixed shape, which then stand close together.
    """
    with rc_context(STYLE):
        layout = "compressed" if sheet else "constrained"
        figure = Figure(figsize=(width, height), layout=layout)
        yield figure
        with atomic(path) as temporary:
            figure.savefig(temporary)


def picture_axes(axes: Axes, title: str = "") -> Axes:
    """Turns ``axes`` into a frame for a picture: no ticks, no grid, no spines."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_title(title)
    return axes


def shorten(name: str, most: int = 18) -> str:
    """A name that fits: its end is cut where it is longer than ``most`` letters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"
