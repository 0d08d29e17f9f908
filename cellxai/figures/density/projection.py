"""Features in two dimensions, over the contours of the mixture's marginal density in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from cellxai.figures.colours import GREY, INK, SERIES
from cellxai.figures.style import drawing, shorten

OUTSIDE_PERCENT = (1, 5, 25, 50, 75)  # of the fitted images, one contour each
GRID = 200  # points along each side at which the density is computed
BULK = (0.01, 0.99)  # quantiles of the fitted images between which their extent is measured
REACH = 1.5  # extents from the middle: what lies further stands at the edge
MOST_SETS = 16  # the legend has no room for more
MARKERS = "osD^v"  # after six sets the colours repeat and the shape changes
GREYS = LinearSegmentedColormap.from_list("greys", ["#f3f5f7", "#c3ccd6"])
EDGE = 0.985  # of half the frame, where points beyond it stand

Points = Float[np.ndarray, "n 2"]


@dataclass(frozen=True)
class PlaneMixture:
    """The marginal density of a mixture in the two dimensions of the picture.

    Args:
        weights: One per component, summing to 1.
        means: One per component, in the units of the picture.
        covariances: One per component, in the squared units of the picture.
    """

    weights: Float[np.ndarray, " k"]
    means: Float[np.ndarray, "k 2"]
    covariances: Float[np.ndarray, "k 2 2"]

    def log_density(self, points: Points) -> Float[np.ndarray, " n"]:
        """In nats: Bishop (2006) eq. 9.7."""
        factors = np.linalg.cholesky(self.covariances)
        offsets = (points[None] - self.means[:, None]).swapaxes(-1, -2)
        white = np.linalg.solve(factors, offsets)
        halves = np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(-1)
        with np.errstate(divide="ignore"):  # a component of no weight adds nothing
            heights = np.log(self.weights) - halves - np.log(2 * np.pi)
        return np.logaddexp.reduce(heights[:, None] - 0.5 * (white**2).sum(1), axis=0)


@dataclass(frozen=True)
class Frame:
    """What part of the plane is shown: centre ± half."""

    centre: Float[np.ndarray, " 2"]
    half: Float[np.ndarray, " 2"]

    @property
    def ends(self) -> list[tuple[float, float]]:
        """The limits of both axes."""
        low, high = self.centre - self.half, self.centre + self.half
        return list(zip(low.tolist(), high.tolist(), strict=True))

    def inside(self, points: Points) -> Bool[np.ndarray, " n"]:
        """Which points it shows."""
        return np.all(np.abs(points - self.centre) <= self.half, axis=1)

    def at_edge(self, points: Points) -> Points:
        """Points beyond the frame, moved to its edge in their direction."""
        offsets = points - self.centre
        beyond = np.abs(offsets / (EDGE * self.half)).max(1, keepdims=True)
        return self.centre + offsets / beyond


def choose_frame(sets: Mapping[str, Points]) -> Frame:
    """Shows the fitted images and other sets of which half lies within ``REACH``.

    Single images far from the bulk of the fit stand at the edge: one of them could squeeze all
    others into a line.

    Args:
        sets: Points by set, those of the fit first.
    """
    fitted = next(iter(sets.values()))
    low, high = np.quantile(fitted, BULK, axis=0)
    extent = np.maximum(high - low, 1e-3 * (high - low).max() or 1.0)
    middle = (low + high) / 2
    near = [points[(np.abs(points - middle) <= REACH * extent).all(1)] for points in sets.values()]
    shown = [
        close
        for close, points in zip(near, sets.values(), strict=True)
        if points is fitted or len(close) >= 0.5 * len(points)
    ]
    low, high = np.concatenate(shown).min(0), np.concatenate(shown).max(0)
    return Frame((low + high) / 2, 0.56 * np.maximum(high - low, extent))


def draw_projection(
    sets: Mapping[str, Points],
    path: Path,
    mixture: PlaneMixture | None = None,
) -> None:
    """Draws the images of each set as points over the density that was fitted to the first.

    Args:
        sets: Coordinates of the images by set, those of the fit first; ``MOST_SETS`` are drawn.
        path: The PNG to write.
        mixture: Its marginal in these coordinates; None draws no contour.

    Raises:
        ValueError: If there is no point to begin with.
    """
    first = next(iter(sets.values()), np.empty((0, 2)))
    if not len(first):
        raise ValueError(f"{path}: no image of the fit to draw, expected sets with it as the first")
    frame = choose_frame(sets)
    with drawing(path, 9.6, 6.0) as figure:
        axes = figure.subplots()
        if mixture is not None:
            _draw_contours(axes, mixture, first, frame)
        for number, (name, points) in enumerate(list(sets.items())[:MOST_SETS]):
            _draw_set(axes, name, points, frame, number)
        axes.set_xlim(*frame.ends[0])
        axes.set_ylim(*frame.ends[1])
        axes.set(xlabel="first coordinate", ylabel="second coordinate")
        axes.set_title(_title(mixture, next(iter(sets))))
        figure.legend(loc="outside right upper", markerscale=1.4)


def _title(mixture: PlaneMixture | None, fitted: str) -> str:
    if mixture is None:
        return "Features in two dimensions"
    *most, last = OUTSIDE_PERCENT
    return f"Contours leave {', '.join(map(str, most))} and {last} % of {shorten(fitted)} outside"


def _draw_contours(axes: Axes, mixture: PlaneMixture, fitted: Points, frame: Frame) -> None:
    grid = np.stack(np.meshgrid(*(np.linspace(low, high, GRID) for low, high in frame.ends)))
    density = mixture.log_density(grid.reshape(2, -1).T).reshape(GRID, GRID)
    levels = np.unique(np.percentile(mixture.log_density(fitted), OUTSIDE_PERCENT))
    shades = GREYS(np.linspace(0, 1, len(levels)))
    axes.contourf(*grid, density, [*levels, np.inf], colors=shades)
    # Over the points: thousands of them would hide it.
    line = {"linewidths": 0.9, "linestyles": "solid", "zorder": 3}
    axes.contour(*grid, density, levels, colors=INK, alpha=0.55, **line)
    inside = mixture.means[frame.inside(mixture.means)]
    axes.scatter(
        *inside.T,
        s=60 if len(inside) <= 12 else 22,
        marker="x",
        color=INK,
        linewidths=1.6,
        zorder=5,
        label="mean of a component",
    )


def _draw_set(axes: Axes, name: str, points: Points, frame: Frame, number: int) -> None:
    points = points[np.isfinite(points).all(1)]
    inside = frame.inside(points)
    n_beyond = int((~inside).sum())
    label = f"{shorten(name, 26)}: {len(points)}" + (
        f", {n_beyond} beyond the frame" if n_beyond else ""
    )
    style = {
        "color": SERIES[number % len(SERIES)],
        "marker": MARKERS[number // len(SERIES) % len(MARKERS)],
        "s": 22 if len(points) < 500 else 8,
        "linewidths": 0,
    }
    axes.scatter(*points[inside].T, alpha=0.6 if len(points) < 500 else 0.35, label=label, **style)
    edge = style | {"linewidths": 0.6, "edgecolors": GREY}
    axes.scatter(*frame.at_edge(points[~inside]).T, clip_on=False, zorder=4, **edge)
