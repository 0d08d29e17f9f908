"""Pictures: a mixture over its samples, and the criterion of a sweep."""

import math
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.covariance import COVARIANCES
from gmm.estimator import GaussianMixture
from gmm.persistence import atomic
from gmm.selection import Sweep

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C564B")
# Okabe & Ito's, which the colour-blind can tell apart, and two more.
INK, RULE = "#222222", "#DDDDDD"
MARKERS = ("o", "s", "^", "D")
SIGMAS = (1.0, 2.0)  # of the ellipses, in standard deviations; the title says so
MOST_POINTS = 4000  # drawn evenly out of the samples: more only darken the picture
MOST_NAMED = 8  # components in the legend


def plot_mixture(
    mixture: GaussianMixture, x: ArrayLike | Tensor, *, ax: Axes | None = None
) -> Axes:
    """Samples in the colour of their most probable component, under the components' ellipses.

    With one feature it is a histogram under the densities; with more than two, everything is
    projected on the samples' first two principal axes.

    Args:
        mixture: A fitted mixture.
        x: Samples, n × d.
        ax: Where to draw; None for a new figure.
    """
    samples = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
    ax = _prepared(ax, (6.4, 5.4))
    if samples.shape[1] == 1:
        _draw_histogram(ax, mixture, samples)
    else:
        _draw_projection(ax, mixture, samples)
    count = mixture.n_components
    components = f"{count} {mixture.covariance_type} component{'s' if count > 1 else ''}"
    ellipses = "; ellipses at 1 and 2 σ" if samples.shape[1] > 1 else ""
    ax.set_title(
        f"{components}, {len(samples):,} samples{ellipses}",
        loc="left",
        color=INK,
        fontsize=11,
    )
    if count <= MOST_NAMED:
        ax.legend(frameon=False, fontsize=9, title="weight", labelcolor=INK)
    return ax


def plot_criterion(sweep: Sweep, *, ax: Axes | None = None) -> Axes:
    """The criterion over the number of components, a line per covariance type, minimum marked.

    Args:
        sweep: A finished sweep.
        ax: Where to draw; None for a new figure.
    """
    ax = _prepared(ax, (6.8, 4.4))
    for index, name in enumerate(dict.fromkeys(row.covariance_type for row in sweep.rows)):
        rows = [row for row in sweep.rows if row.covariance_type == name]
        rows = sorted(rows, key=lambda row: row.n_components)
        values = [_finite_or_nan(getattr(row, sweep.criterion)) for row in rows]
        counts = [row.n_components for row in rows]
        style = {"color": COLOURS[index], "marker": MARKERS[index], "ms": 5, "lw": 1.6}
        ax.plot(counts, values, label=name, **style)
    _mark_minimum(ax, sweep)
    ax.set_xlabel("components")
    ax.set_ylabel(f"{sweep.criterion.upper()} (nats, lower is better)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y", color=RULE, lw=0.7)
    ax.legend(frameon=False, fontsize=9, labelcolor=INK)
    return ax


def save_figure(ax: Axes, path: Path | str) -> None:
    """Writes the figure of ``ax``, atomically; the suffix chooses the format.

    Raises:
        ValueError: If the format is unknown.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    with atomic(Path(path)) as temporary:
        figure.savefig(temporary, dpi=150, bbox_inches="tight", facecolor="white")


def _prepared(ax: Axes | None, inches: tuple[float, float]) -> Axes:
    # No pyplot: it would keep every figure of a long-lived process, and ask for a screen.
    ax = Figure(figsize=inches, layout="constrained").subplots() if ax is None else ax
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#888888")
    ax.tick_params(colors=INK, labelsize=9)
    return ax


def _draw_projection(ax: Axes, mixture: GaussianMixture, samples: Float[np.ndarray, "n d"]) -> None:
    centre, axes = _view(samples)
    shown = samples[:: math.ceil(len(samples) / MOST_POINTS)]
    points, labels = (shown - centre) @ axes, mixture.predict(shown)
    parameters = mixture.parameters_
    means = (parameters.means[0].cpu().numpy() - centre) @ axes
    covariances = axes.T @ _dense(mixture) @ axes
    size = 14 if len(shown) < 500 else 6
    for k, weight in enumerate(parameters.weights[0].tolist()):
        colour = COLOURS[k % len(COLOURS)]
        mine = points[labels == k]
        ax.scatter(*mine.T, s=size, color=colour, alpha=0.35, lw=0, rasterized=True)
        for sigma in SIGMAS:
            ax.add_patch(_ellipse(means[k], covariances[k], sigma, colour))
        ax.scatter(*means[k], marker="o", s=46, color=colour, ec="white", lw=1.3, zorder=4,
                   label=f"{k}: {weight:.2f}")  # fmt: skip
    ax.autoscale_view()
    if samples.shape[1] == 2:
        ax.set(xlabel="feature 0", ylabel="feature 1")
    else:
        shares = ((samples - centre) @ axes).var(0) / samples.var(0).sum()
        ax.set(xlabel=f"principal axis 1 ({shares[0]:.0%} of variance)",
               ylabel=f"principal axis 2 ({shares[1]:.0%})")  # fmt: skip
    ax.set_aspect("equal", adjustable="datalim")


def _draw_histogram(ax: Axes, mixture: GaussianMixture, samples: Float[np.ndarray, "n 1"]) -> None:
    bins = min(max(round(len(samples) ** 0.5), 10), 60)
    ax.hist(samples[:, 0], bins=bins, density=True, color="#D5D9E0", edgecolor="white", lw=0.4)
    grid = np.linspace(samples.min(), samples.max(), 512, dtype=samples.dtype)[:, None]
    density = np.exp(mixture.score_samples(grid))
    ax.plot(grid[:, 0], density, color=INK, lw=1.2)
    joint = density[:, None] * mixture.predict_proba(grid)
    for k, weight in enumerate(mixture.parameters_.weights[0].tolist()):
        colour = COLOURS[k % len(COLOURS)]
        ax.plot(grid[:, 0], joint[:, k], color=colour, lw=2, ls="--", label=f"{k}: {weight:.2f}")
    ax.set(xlabel="feature 0", ylabel="density")


def _view(
    samples: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d 2"]]:
    """Origin and axes of the picture: the features themselves, or the principal axes."""
    n_features = samples.shape[1]
    if n_features == 2:
        return np.zeros(2), np.eye(2)
    centre = samples.mean(0, dtype=np.float64)
    _, vectors = np.linalg.eigh(np.cov(samples, rowvar=False))
    axes = vectors[:, :-3:-1]
    # An eigenvector's sign is chance; this one is the same on every machine.
    return centre, axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])


def _dense(mixture: GaussianMixture) -> Float[np.ndarray, "k d d"]:
    parameters = mixture.parameters_
    dense = COVARIANCES[mixture.covariance_type].dense(
        parameters.precisions_cholesky.to(torch.float64),
        parameters.n_components,
        parameters.n_features,
    )
    return dense[0].cpu().numpy()


def _ellipse(
    mean: Float[np.ndarray, " 2"], covariance: Float[np.ndarray, "2 2"], sigma: float, colour: str
) -> Ellipse:
    variances, vectors = np.linalg.eigh(covariance)
    angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))
    width, height = 2 * sigma * np.sqrt(variances[::-1])
    return Ellipse(
        (mean[0], mean[1]), width, height, angle=angle, fc="none", ec=colour, lw=1.8 / sigma**0.5
    )


def _mark_minimum(ax: Axes, sweep: Sweep) -> None:
    best = sweep.best
    value = getattr(best, sweep.criterion)
    ax.axvline(best.n_components, color="#888888", lw=0.8, ls=":", zorder=0)
    ax.plot(best.n_components, value, "o", ms=13, mfc="none", mec=INK, mew=1.4)
    ax.set_title(
        f"least {sweep.criterion.upper()} {value:,.1f}: "
        f"{best.n_components} components, {best.covariance_type}",
        loc="left",
        color=INK,
        fontsize=11,
    )


def _finite_or_nan(value: float) -> float:
    return value if math.isfinite(value) else math.nan
