"""The critical-difference diagram (Demšar 2006): which method is better, and if that is settled."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from cellxai.figures.colours import BLUE, GREY, INK
from cellxai.figures.style import drawing, shorten

LINE = 0.19  # inches from one name to the next
BAR = 0.085  # inches from one bar of equals to the next
MARGIN = 2.35  # inches for the names on either side
WIDTH = 9.6
MOST_LETTERS = 24
GAP = 0.03  # of the axis, between two bars in one row


def draw_critical_difference(
    mean_ranks: Mapping[str, float],
    cliques: Sequence[Sequence[str]],
    difference: float,
    path: Path,
    title: str,
    controls: Collection[str] = (),
    winners: Collection[str] = (),
) -> None:
    """Draws mean ranks on a line, and a bar over methods whose difference is not settled.

    Args:
        mean_ranks: Mean rank by method, 1 the best.
        cliques: Methods that lie within the critical difference of each other.
        difference: The critical difference; NaN where there is none.
        path: The PNG to write.
        title: What they are ranked in, and over how many images.
        controls: Names that are drawn in grey and italics.
        winners: Names in bold: those that beat every control.
    """
    names = sorted(mean_ranks, key=lambda name: (mean_ranks[name], name))
    half = (len(names) + 1) // 2
    ends = [_ends(mean_ranks, clique) for clique in cliques]
    levels = stack_bars(ends, GAP * len(names))
    below = 0.2 + BAR * (max(levels, default=-1) + 1)
    height = 0.95 + below + LINE * half
    with drawing(path, WIDTH, height) as figure:
        figure.set_layout_engine("none")  # every position is given in inches
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, WIDTH), ylim=(height, 0))
        axes.axis("off")
        axes.text(0.12, 0.1, title, va="top", fontsize=10, fontweight="bold")
        position = _scale(len(names))
        top = 0.95
        _draw_axis(axes, len(names), position, top, difference)
        bars = [(position(low), position(high)) for low, high in ends]
        _draw_bars(axes, bars, levels, top)
        for number, name in enumerate(names):
            left = number < half
            row = number if left else len(names) - 1 - number
            look = _look(name, controls, winners)
            at = (position(mean_ranks[name]), top, top + below + LINE * row)
            _draw_leader(axes, shorten(name, MOST_LETTERS), mean_ranks[name], at, left, look)


def stack_bars(ends: Sequence[tuple[float, float]], gap: float = 0.0) -> list[int]:
    """For each bar the first row in which it stays clear of the earlier ones by a gap."""
    rows: list[float] = []
    levels = []
    for low, high in ends:
        level = next((row for row, end in enumerate(rows) if end + gap < low), len(rows))
        rows[level : level + 1] = [high]
        levels.append(level)
    return levels


def _draw_bars(
    axes: Axes, bars: Sequence[tuple[float, float]], levels: Sequence[int], top: float
) -> None:
    """Joins the methods of each clique, below the axis."""
    for (low, high), level in zip(bars, levels, strict=True):
        y = top + 0.12 + BAR * level
        axes.plot([low - 0.04, high + 0.04], [y, y], color=BLUE, linewidth=2.6)


def _ends(mean_ranks: Mapping[str, float], clique: Sequence[str]) -> tuple[float, float]:
    ranks = [mean_ranks[name] for name in clique]
    return min(ranks), max(ranks)


def _scale(n: int) -> Callable[[float], float]:
    """From rank to inches from the left."""
    room = WIDTH - 2 * MARGIN
    return lambda rank: MARGIN + room * (rank - 1) / max(n - 1, 1)


def _look(name: str, controls: Collection[str], winners: Collection[str]) -> dict[str, str]:
    if name in controls:
        return {"color": GREY, "fontstyle": "italic"}
    return {"color": INK, "fontweight": "bold" if name in winners else "normal"}


def _draw_axis(
    axes: Axes, n: int, position: Callable[[float], float], top: float, difference: float
) -> None:
    axes.plot([position(1), position(n)], [top, top], color=INK, linewidth=1.2)
    step = 1 if n <= 13 else 2 if n <= 26 else 5
    for rank in range(1, n + 1):
        long = (rank - 1) % step == 0
        axes.plot(
            [position(rank)] * 2, [top - (0.07 if long else 0.04), top], color=INK, linewidth=1
        )
        if long:
            axes.text(position(rank), top - 0.1, str(rank), ha="center", va="bottom", fontsize=8)
    if difference == difference and difference <= n - 1:
        _draw_ruler(axes, position(1), position(1 + difference), top - 0.34, difference)


def _draw_ruler(axes: Axes, left: float, right: float, y: float, difference: float) -> None:
    """The critical difference as a length, above the axis."""
    axes.plot([left, right], [y, y], color=BLUE, linewidth=1.2)
    for end in (left, right):
        axes.plot([end, end], [y - 0.04, y + 0.04], color=BLUE, linewidth=1.2)
    label = f"critical difference {difference:.2f}"
    axes.text(right + 0.08, y, label, va="center", fontsize=8, color=BLUE)


def _draw_leader(
    axes: Axes,
    name: str,
    rank: float,
    at: tuple[float, float, float],
    left: bool,
    look: dict[str, str],
) -> None:
    """A thin line from the axis to the name."""
    x, top, y = at
    edge = MARGIN - 0.25 if left else WIDTH - MARGIN + 0.25
    line = {"color": look["color"], "linewidth": 0.7}
    axes.plot([x, x, edge], [top, y, y], **line)  # type: ignore[arg-type]
    text = f"{name}  {rank:.1f}" if left else f"{rank:.1f}  {name}"
    beside = edge - 0.05 if left else edge + 0.05
    side = "right" if left else "left"
    axes.text(beside, y, text, ha=side, va="center", fontsize=8, **look)  # type: ignore[arg-type]
