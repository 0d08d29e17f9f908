"""How much higher the images of the fit score than images that it has not seen: what is memory."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from cellxai.figures.density.axis import (
    Axis,
    choose_axis,
    in_nats,
    offset_label,
    origin_of,
    put_scale,
)
from cellxai.figures.style import GREY, SERIES, VERMILLION, drawing, short


def draw_gap(scores: Mapping[str, Float[np.ndarray, " _"]], threshold: float, path: Path) -> None:
    """Draws which share of each set scores below a log-density, with the gap of the medians.

    Args:
        scores: Log-densities in nats by name of the set, that of the fit first, then sets of the
            same kind of images which it has not seen.
        threshold: In nats; -inf where too few images are held out to flag any.
        path: The PNG to write.

    Raises:
        ValueError: If a set has no image, or there is no set beside that of the fit.
    """
    empty = [name for name, values in scores.items() if len(values) == 0]
    if len(scores) < 2 or empty:
        got = f"no image of {empty[0]}" if empty else f"{len(scores)} set"
        raise ValueError(f"{path}: {got} to draw, expected images of the fit and held-out ones")
    origin = origin_of(list(scores.values()), threshold)
    axis = choose_axis(list(scores.values()), origin)
    with drawing(path, 9.6, 4.2) as figure:
        axes = figure.subplots()
        if np.isfinite(threshold):
            axes.axvline(0, color=VERMILLION, linewidth=1.4)
        for (name, values), colour in zip(scores.items(), _colours(len(scores)), strict=True):
            _shares_below(axes, name, values - origin, axis, colour)
        _bridge(axes, *[np.median(_ranked(values)) - origin for values in scores.values()][:2])
        put_scale(axes, axis)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        axes.set(ylim=(-0.02, 1.02), ylabel="share of the set below")
        axes.set_xlabel(offset_label(threshold))
        figure.legend(loc="outside lower center", ncols=3)
        figure.suptitle(gap_line(scores))


def gap_line(scores: Mapping[str, Float[np.ndarray, " _"]]) -> str:
    """``Unseen images score 4.4 nats lower: median of train −18.0 nats, of test −22.4 nats``."""
    (seen, fitted), (unseen, held_out) = list(scores.items())[:2]
    first, second = (float(np.median(_ranked(values))) for values in (fitted, held_out))
    medians = f"median of {short(seen)} {in_nats(first)}, of {short(unseen)} {in_nats(second)}"
    if not np.isfinite(first - second):
        return medians.capitalize()
    order = "lower" if first >= second else "higher"
    return f"Unseen images score {in_nats(abs(first - second))} {order}: {medians}"


def _ranked(scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Sorted; what is no number is below all others, as when it is flagged."""
    return np.sort(np.where(np.isnan(scores), -np.inf, scores))


def _colours(n_sets: int) -> list[str]:
    return [SERIES[number % len(SERIES)] for number in range(n_sets)]


def _shares_below(
    axes: Axes, name: str, offsets: Float[np.ndarray, " n"], axis: Axis, colour: str
) -> None:
    places = np.clip(_ranked(offsets), axis.edges[0], axis.edges[-1])
    shares = np.arange(1, len(places) + 1) / len(places)
    below = float((~(offsets >= 0)).mean())
    label = f"{short(name, 40)}: {100 * below:.1f} % of {len(offsets)} below the threshold"
    x, y = np.r_[axis.edges[0], places, axis.edges[-1]], np.r_[0, shares, 1]
    axes.step(x, y, where="post", color=colour, label=label)


def _bridge(axes: Axes, seen: float, unseen: float) -> None:
    """Joins the two medians, at half of the images."""
    if np.isfinite([seen, unseen]).all():
        axes.plot([seen, unseen], [0.5, 0.5], color=GREY, linewidth=1, marker="o", markersize=5)
