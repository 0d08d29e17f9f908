"""The common style of the pictures, and how they are written."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gmm.files.atomic import atomic

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C564B")
# Okabe & Ito's, which the colour-blind can tell apart, and two more.
INK, RULE, ALARM = "#222222", "#DDDDDD", "#D55E00"


def save_figure(picture: Axes | Figure, path: Path | str) -> None:
    """Writes a figure, or the figure of an Axes, atomically; the suffix chooses the format.

    Raises:
        ValueError: If the format is unknown.
    """
    figure = picture.get_figure(root=True) if isinstance(picture, Axes) else picture
    assert figure is not None
    with atomic(Path(path), "picture") as temporary:
        figure.savefig(temporary, dpi=150, bbox_inches="tight", facecolor="white")


def prepare(ax: Axes | None, inches: tuple[float, float]) -> Axes:
    """The Axes to draw on in the style of these pictures: the one given, or a new figure's."""
    # No pyplot: it would keep every figure of a long-lived process, and ask for a screen.
    ax = Figure(figsize=inches, layout="constrained").subplots() if ax is None else ax
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#888888")
    ax.tick_params(colors=INK, labelsize=9)
    return ax


def write_title(ax: Axes, title: str) -> None:
    """Writes a title in the style of these pictures: small, dark, on the left."""
    ax.set_title(title, loc="left", color=INK, fontsize=11)


def add_legend(ax: Axes, title: str | None = None) -> None:
    """Adds a legend in the style of these pictures: no frame, but legible over what it covers."""
    legend = ax.legend(title=title, fontsize=9, labelcolor=INK, framealpha=0.85, edgecolor="none")
    legend.set_zorder(6)


def format_nats(value: float) -> str:
    """A log density for a title: four digits, or all before the point, with a true minus."""
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{digits} nats".replace("-", "−")
