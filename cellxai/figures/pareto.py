"""Quality against cost: what is worth its price."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from cellxai.figures.style import BLUE, FAINT, GREY, INK, drawing, short

MOST_LETTERS = 22
LINE = 0.185  # inches of the list per method
WIDTH = 9.6


@dataclass(frozen=True)
class PricedMethod:
    """One dot.

    Args:
        name: Of the method.
        rank: Mean rank, 1 the best.
        seconds: Per attribution.
        on_front: Whether nobody is both better and cheaper.
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
    ordered = sorted(methods, key=lambda one: (one.rank, one.seconds, one.name))
    height = max(4.0, 0.95 + LINE * (len(ordered) + 2))
    with drawing(path, WIDTH, height) as figure:
        figure.set_layout_engine("none")  # it would measure every word of the list, for a second
        low, tall = 0.55 / height, 1 - 0.95 / height
        dots = figure.add_axes((0.65 / WIDTH, low, 5.6 / WIDTH, tall))
        names = figure.add_axes((6.45 / WIDTH, low, 3.05 / WIDTH, tall))
        _front(dots, ordered)
        for number, one in enumerate(ordered, 1):
            _dot(dots, one, number)
        dots.set(xscale="log", xlabel="seconds per attribution", ylabel="mean rank (1 is the best)")
        plain = FuncFormatter(lambda value, _: f"{value:g}")
        dots.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        dots.xaxis.set(major_formatter=plain, minor_formatter=plain)
        dots.yaxis.set_major_locator(MaxNLocator(8, integer=True))
        dots.margins(0.08)
        dots.invert_yaxis()
        _list(names, ordered, max(len(ordered), int(tall * height / LINE) - 2))
        figure.text(0.012, 1 - 0.1 / height, title, va="top", fontsize=10, fontweight="bold")


def _look(one: PricedMethod) -> tuple[str, str]:
    """Face and ink of a dot."""
    if one.control:
        return FAINT, GREY
    return (BLUE, "white") if one.on_front else ("white", INK)


def _price(one: PricedMethod) -> float:
    return max(one.seconds, 1e-4)  # a logarithmic axis has no 0


def _dot(axes: Axes, one: PricedMethod, number: int) -> None:
    face, ink = _look(one)
    edge = GREY if one.control else BLUE
    marker = "s" if one.control else "o"
    axes.scatter(
        _price(one), one.rank, 150, color=face, edgecolors=edge, marker=marker, zorder=3,
        linewidths=1.2,
    )  # fmt: skip
    at = (_price(one), one.rank)
    axes.annotate(
        str(number), at, ha="center", va="center_baseline", fontsize=6.5, color=ink, zorder=4
    )


def _front(axes: Axes, ordered: Sequence[PricedMethod]) -> None:
    front = sorted((one for one in ordered if one.on_front), key=_price)
    if front:
        x, y = np.array([[_price(one), one.rank] for one in front]).T
        # A step: whoever pays a little less gets the next one below, and nothing between.
        axes.step(x, y, where="post", color=BLUE, linewidth=1.2, linestyle="--", zorder=2)


def _list(axes: Axes, ordered: Sequence[PricedMethod], n_lines: int) -> None:
    """The numbers' names, with rank and price."""
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(n_lines + 1.2, -0.8))
    columns = (0.05, 0.1, 0.83, 1.0)
    for x, word, side in zip(columns[2:], ("rank", "s"), ("right", "right"), strict=True):
        axes.text(x, 0, word, ha=side, va="center", fontsize=7.5, color=GREY)
    for row, one in enumerate(ordered, 1):
        ink = GREY if one.control else BLUE if one.on_front else INK
        style = "italic" if one.control else "normal"
        weight = "bold" if one.on_front else "normal"
        words = (str(row), short(one.name, MOST_LETTERS), f"{one.rank:.1f}", f"{one.seconds:.2g}")
        for x, word, side in zip(columns, words, ("right", "left", "right", "right"), strict=True):
            axes.text(
                x, row, word, ha=side, va="center", fontsize=7.5, color=ink, fontstyle=style,
                fontweight=weight,
            )  # fmt: skip
    told = "blue: nobody is both better and cheaper; grey: controls"
    axes.text(0, len(ordered) + 1, told, va="center", fontsize=6.5, color=GREY)
