"""Quality against cost: what is worth its price."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from cellxai.figures.colours import BLUE, FAINT, GREY, INK
from cellxai.figures.style import drawing, shorten

MOST_LETTERS = 22
LINE = 0.185  # inches of the list per method
WIDTH = 9.6


@dataclass(frozen=True)
class PricedMethod:
    """One method, drawn as a dot.

    Args:
        name: What the method is called.
        rank: Mean rank, 1 the best.
        seconds: Per attribution.
        on_front: Whether no method is both better and cheaper.
        control: Whether it knows nothing of the model.
    """

    name: str
    rank: float
    seconds: float
    on_front: bool
    control: bool


def draw_pareto(methods: Sequence[PricedMethod], path: Path, title: str) -> None:
    """Draws mean rank against seconds; the numbers are explained in a list, best rank first.

    Args:
        methods: Those with a rank and a cost.
        path: The PNG to write.
        title: What the ranks are in.
    """
    ordered = sorted(methods, key=lambda method: (method.rank, method.seconds, method.name))
    height = max(4.0, 0.95 + LINE * (len(ordered) + 2))
    with drawing(path, WIDTH, height) as figure:
        figure.set_layout_engine("none")  # it would measure every word of the list, for a second
        low, tall = 0.55 / height, 1 - 0.95 / height
        dots = figure.add_axes((0.65 / WIDTH, low, 5.6 / WIDTH, tall))
        names = figure.add_axes((6.45 / WIDTH, low, 3.05 / WIDTH, tall))
        _draw_front(dots, ordered)
        for number, method in enumerate(ordered, 1):
            _draw_dot(dots, method, number)
        dots.set(xscale="log", xlabel="seconds per attribution", ylabel="mean rank (1 is the best)")
        plain = FuncFormatter(lambda value, _: f"{value:g}")
        dots.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        dots.xaxis.set(major_formatter=plain, minor_formatter=plain)
        dots.yaxis.set_major_locator(MaxNLocator(8, integer=True))
        dots.margins(0.08)
        dots.invert_yaxis()
        _draw_list(names, ordered, max(len(ordered), int(tall * height / LINE) - 2))
        figure.text(0.012, 1 - 0.1 / height, title, va="top", fontsize=10, fontweight="bold")


def _look(method: PricedMethod) -> tuple[str, str]:
    """Face and ink of a dot."""
    if method.control:
        return FAINT, GREY
    return (BLUE, "white") if method.on_front else ("white", INK)


def _price(method: PricedMethod) -> float:
    return max(method.seconds, 1e-4)  # a logarithmic axis has no 0


def _draw_dot(axes: Axes, method: PricedMethod, number: int) -> None:
    face, ink = _look(method)
    edge = GREY if method.control else BLUE
    marker = "s" if method.control else "o"
    axes.scatter(
        _price(method), method.rank, 150, color=face, edgecolors=edge, marker=marker, zorder=3,
        linewidths=1.2,
    )  # fmt: skip
    at = (_price(method), method.rank)
    axes.annotate(
        str(number), at, ha="center", va="center_baseline", fontsize=6.5, color=ink, zorder=4
    )


def _draw_front(axes: Axes, ordered: Sequence[PricedMethod]) -> None:
    front = sorted((method for method in ordered if method.on_front), key=_price)
    if front:
        x, y = np.array([[_price(method), method.rank] for method in front]).T
        # A step: for a little less time there is the next method below, and nothing in between.
        axes.step(x, y, where="post", color=BLUE, linewidth=1.2, linestyle="--", zorder=2)


def _draw_list(axes: Axes, ordered: Sequence[PricedMethod], n_lines: int) -> None:
    """The numbers' names, with rank and price."""
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(n_lines + 1.2, -0.8))
    columns = (0.05, 0.1, 0.83, 1.0)
    for x, word, side in zip(columns[2:], ("rank", "s"), ("right", "right"), strict=True):
        axes.text(x, 0, word, ha=side, va="center", fontsize=7.5, color=GREY)
    for row, method in enumerate(ordered, 1):
        ink = GREY if method.control else BLUE if method.on_front else INK
        style = "italic" if method.control else "normal"
        weight = "bold" if method.on_front else "normal"
        words = (
            str(row),
            shorten(method.name, MOST_LETTERS),
            f"{method.rank:.1f}",
            f"{method.seconds:.2g}",
        )
        for x, word, side in zip(columns, words, ("right", "left", "right", "right"), strict=True):
            axes.text(
                x, row, word, ha=side, va="center", fontsize=7.5, color=ink, fontstyle=style,
                fontweight=weight,
            )  # fmt: skip
    legend = "blue: no method is both better and cheaper; grey: controls"
    axes.text(0, len(ordered) + 1, legend, va="center", fontsize=6.5, color=GREY)
