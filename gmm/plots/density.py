"""The density of a mixture of two features: contours, decision boundaries, centroids, outliers."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.plots.mixture import FittedMixture, as_array, drawn_components, thin
from gmm.plots.style import ALARM, INK, format_nats, prepare, write_title

GRID = 240  # points along each side of the picture, at which the density is computed
OUTSIDE_PERCENT = (1, 5, 10, 20, 35, 50, 65, 80, 95)  # of the samples, one contour each
BLUES = LinearSegmentedColormap.from_list("blues", ["#EAF2F8", "#9CC4DE", "#3587BD"])
MARGIN = 0.08  # around the samples, of their extent


def plot_density(
    mixture: FittedMixture,
    x: ArrayLike | Tensor,
    *,
    threshold_nats: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Density contours under the samples, with decision boundaries and centroids.

    Each contour leaves a fixed percentage of the samples outside: 1, 5, 10, 20, 35, 50, 65, 80
    and 95. Components with less than a tenth of the greatest weight, which a Bayesian mixture has
    pruned, have neither centroid nor boundary.

    Args:
        mixture: A fitted mixture of two features, ours or scikit-learn's.
        x: Samples, n × 2.
        threshold_nats: Draws its contour and, in another colour, the samples below it.
        ax: Where to draw; None for a new figure.

    Raises:
        ValueError: If there are more or fewer than two features.
    """
    samples = as_array(x)
    if samples.ndim != 2 or samples.shape[1] != 2:
        raise ValueError(
            f"x has shape {samples.shape}, expected two features; draw other samples with "
            f"plot_mixture, or two of their features with a mixture of these two"
        )
    ax = prepare(ax, (6.4, 5.4))
    scores = as_array(mixture.score_samples(samples))
    grid = _grid(samples)
    _draw_contours(ax, mixture, grid, scores, threshold_nats)
    _draw_boundaries(ax, mixture, grid)
    _draw_samples(ax, samples, scores, threshold_nats)
    _draw_centroids(ax, mixture)
    ends = [(side.min(), side.max()) for side in grid]
    ax.set(xlabel="feature 0", ylabel="feature 1", xlim=ends[0], ylim=ends[1], aspect="equal")
    return ax


def _grid(samples: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "2 row column"]:
    low, high = samples.min(0), samples.max(0)
    margin = MARGIN * (high - low).max() or 1.0
    sides = [np.linspace(a - margin, b + margin, GRID) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*sides)).astype(samples.dtype)


def _grid_points(grid: Float[np.ndarray, "2 row column"]) -> Float[np.ndarray, "n 2"]:
    return grid.reshape(2, -1).T


def _draw_contours(
    ax: Axes,
    mixture: FittedMixture,
    grid: Float[np.ndarray, "2 row column"],
    scores: Float[np.ndarray, " n"],
    threshold_nats: float | None,
) -> None:
    density = as_array(mixture.score_samples(_grid_points(grid))).reshape(GRID, GRID)
    levels = np.unique(np.percentile(scores, OUTSIDE_PERCENT))
    # By rank, not by value: neighbouring levels keep neighbouring shades, however far apart.
    shades = BLUES(np.linspace(0, 1, len(levels)))
    ax.contourf(*grid, density, [*levels, np.inf], colors=shades)
    ax.contour(*grid, density, levels, colors="white", linewidths=0.6, linestyles="solid")
    if threshold_nats is not None:
        ax.contour(*grid, density, [threshold_nats], colors=INK, linewidths=1.3, linestyles="--")


def _draw_boundaries(
    ax: Axes, mixture: FittedMixture, grid: Float[np.ndarray, "2 row column"]
) -> None:
    share = as_array(mixture.predict_proba(_grid_points(grid))).T.reshape(-1, GRID, GRID)
    share = share[drawn_components(mixture)]
    if len(share) == 1:
        return
    # Where components that are not drawn leave nothing to any other, there is no boundary to draw.
    share = np.where(share.max(0) > 0, share, np.nan)
    for k in np.unique(np.nan_to_num(share).argmax(0)):
        ahead = share[k] - np.delete(share, k, 0).max(0)
        if np.nanmin(ahead) < 0 < np.nanmax(ahead):
            ax.contour(*grid, ahead, [0], colors=ALARM, linewidths=1.1)


def _draw_samples(
    ax: Axes,
    samples: Float[np.ndarray, "n 2"],
    scores: Float[np.ndarray, " n"],
    threshold_nats: float | None,
) -> None:
    shown = thin(samples)
    ax.scatter(*shown.T, s=5, color=INK, alpha=0.55, lw=0, rasterized=True)
    if threshold_nats is None:
        return
    outliers = samples[~(scores >= threshold_nats)]
    ax.scatter(*outliers.T, s=34, marker="D", color="#E69F00", ec=INK, lw=0.7, zorder=4)
    share = len(outliers) / len(samples)
    count = f"{len(outliers):,} outliers of {len(samples):,} samples ({share:.1%})"
    write_title(ax, f"{count}, below {format_nats(threshold_nats)}")


def _draw_centroids(ax: Axes, mixture: FittedMixture) -> None:
    kept = drawn_components(mixture)
    means = as_array(mixture.means_)[kept]
    ax.scatter(*means.T, s=130, color="white", ec=INK, lw=1.2, zorder=5)
    ax.scatter(*means.T, s=42, marker="x", color=INK, lw=1.8, zorder=6)
