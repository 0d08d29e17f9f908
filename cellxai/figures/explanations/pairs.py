"""Pairs of superpixels as chords over the image: what two of them are worth beyond each alone."""

from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch
from matplotlib.patheffects import Normal, withStroke

from cellxai.figures.colours import INK, NEGATIVE, POSITIVE
from cellxai.figures.explanations.lime_panels import inner_pixel
from cellxai.figures.overlay import outline, tint_by_sign
from cellxai.figures.style import PAGE_WIDTH, TITLE_LETTERS, drawing, picture_axes

N_CHORDS = 12  # the strongest pairs: with more, none can be followed
WIDEST, NARROWEST = 4.0, 0.8  # points
BEND = 0.2  # of a chord's length: chords between the same three superpixels stay apart


@dataclass(frozen=True)
class PairPanels:
    """An image, the values of its superpixels, and those of its pairs.

    Args:
        image: In [0, 1].
        superpixels: Labels 0…s−1.
        values: Value of each superpixel; NaN is padding.
        pairs: Value of each pair beyond the two alone, symmetric; the diagonal is not drawn.
        title: Which image, which class.
        score: What is explained, in words.
    """

    image: Float[np.ndarray, "h w 3"]
    superpixels: Int[np.ndarray, "h w"]
    values: Float[np.ndarray, " s"]
    pairs: Float[np.ndarray, "s s"]
    title: str
    score: str = "score of the class"


def draw_pairs(panels: PairPanels, path: Path) -> None:
    """Draws the original, and the strongest pairs as chords over the tinted superpixels.

    A chord is solid and green where the two raise the score more than each alone, dashed and
    orange-red where they raise it less; its width grows with the strength.

    Args:
        panels: What is drawn.
        path: The PNG to write.
    """
    values = np.nan_to_num(panels.values)
    tinted = tint_by_sign(
        panels.image, values[panels.superpixels], limit=np.abs(values).max() or 1.0
    )
    height = PAGE_WIDTH / 2 * panels.image.shape[0] / panels.image.shape[1] + 0.8
    with drawing(path, PAGE_WIDTH, height, sheet=True) as figure:
        original, chords = figure.subplots(1, 2)
        picture_axes(original, "original").imshow(panels.image)
        chosen = strongest_pairs(panels.pairs, N_CHORDS)
        words = f"the {len(chosen)} strongest of the pairs" if chosen else "no pair counts"
        picture_axes(chords, words).imshow(tinted)
        outline(chords, panels.superpixels, "white", 0.5)
        _draw_chords(chords, panels, chosen)
        chords.set_xlabel(
            fill(f"solid green: together they raise the {panels.score} more than each alone; "
                 "dashed orange: less", 72), fontsize=7,
        )  # fmt: skip
        figure.suptitle(fill(panels.title, TITLE_LETTERS))


def strongest_pairs(pairs: Float[np.ndarray, "s s"], n_most: int) -> list[tuple[int, int]]:
    """The pairs of largest absolute value, the strongest first; NaN and 0 are none."""
    first, second = np.triu_indices(len(pairs), 1)
    strengths = np.nan_to_num(np.abs(pairs[first, second]))
    order = np.argsort(-strengths, kind="stable")[:n_most]
    return [(int(first[i]), int(second[i])) for i in order if strengths[i] > 0]


def _draw_chords(axes: Axes, panels: PairPanels, chosen: list[tuple[int, int]]) -> None:
    strongest = max((abs(panels.pairs[pair]) for pair in chosen), default=1.0)
    for pair in reversed(chosen):  # the strongest lie on top
        share = abs(panels.pairs[pair]) / strongest
        _draw_chord(axes, panels, pair, NARROWEST + share * (WIDEST - NARROWEST))
    for label in sorted({label for pair in chosen for label in pair}):
        row, column = inner_pixel(panels.superpixels == label)
        axes.plot(column, row, "o", color=INK, markersize=4, markeredgecolor="white")


def _draw_chord(axes: Axes, panels: PairPanels, pair: tuple[int, int], width: float) -> None:
    (y, x), (other_y, other_x) = (inner_pixel(panels.superpixels == label) for label in pair)
    raises = panels.pairs[pair] > 0
    line = "-" if raises else (0, (2.5, 1.5))
    chord = FancyArrowPatch(
        (x, y), (other_x, other_y), arrowstyle="-", connectionstyle=f"arc3,rad={BEND}",
        linewidth=width, color=POSITIVE if raises else NEGATIVE, linestyle=line,
    )  # fmt: skip
    chord.set_path_effects([withStroke(linewidth=width + 1.2, foreground="white"), Normal()])
    axes.add_patch(chord)
