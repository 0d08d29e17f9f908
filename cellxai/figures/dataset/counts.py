"""How many images each class of a data set has."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from cellxai.figures.colours import BLUE, INK
from cellxai.figures.style import drawing, shorten


def draw_counts(counts: Mapping[str, int], path: Path) -> None:
    """Draws how many images each class has.

    Args:
        counts: Images by class, in the order of the logits.
        path: The PNG to write.
    """
    total = sum(counts.values())
    with drawing(path, 6.4, 1.2 + 0.34 * len(counts)) as figure:
        axes = figure.subplots()
        rows = range(len(counts))
        bars = axes.barh(rows, list(counts.values()), color=BLUE, height=0.68)
        labels = [f"{n}  ({n / total:.0%})" for n in counts.values()]
        axes.bar_label(bars, labels, padding=4, fontsize=8, color=INK)
        axes.set_yticks(rows, [shorten(name, 24) for name in counts])
        axes.invert_yaxis()
        axes.margins(x=0.16)
        axes.grid(visible=False, axis="y")
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel("images")
        figure.suptitle(f"{total} images of {len(counts)} classes", fontsize=10)
