"""Samples under the ellipses of a mixture's components, whatever the number of features."""

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike
from torch import Tensor

from gmm.plots.style import COLOURS, INK, add_legend, prepare, write_title
from gmm.samples.placement import to_tensor
from gmm.samples.validation import check_finite, check_matrix

SIGMAS = (1.0, 2.0)  # of the ellipses, in standard deviations; the title says so
MOST_POINTS = 4000  # drawn evenly out of the samples: more only darken the picture
MOST_NAMED = 8  # components in the legend
FAINT = 0.1  # of the greatest weight, below which a component is not drawn


class FittedMixture(Protocol):
    """What the pictures need of a mixture: scikit-learn's attributes and methods.

    A mixture also has ``covariances_``, or ``loadings_`` and ``noise_variances_``.
    """

    covariance_type: Any
    weights_: Any
    means_: Any

    def predict(self, X: Any) -> Any:
        """The most probable component of each sample."""

    def predict_proba(self, X: Any) -> Any:
        """Probability of each component given the sample, n × k."""

    def score_samples(self, X: Any) -> Any:
        """Log density of each sample in nats."""


def plot_mixture(mixture: FittedMixture, x: ArrayLike | Tensor, *, ax: Axes | None = None) -> Axes:
    """Samples in the colour of their most probable component, under the components' ellipses.

    With one feature it is a histogram under the densities; with more than two, everything is
    projected on the samples' first two principal axes. Components with less than a tenth of the
    greatest weight, which a Bayesian mixture has pruned, are left out.

    Args:
        mixture: A fitted mixture, ours or scikit-learn's.
        x: Samples, n × d.
        ax: Where to draw; None for a new figure.

    Raises:
        ValueError: If the mixture has not been fitted, or ``x`` is no matrix of finite numbers.
    """
    if not hasattr(mixture, "weights_"):
        raise ValueError(f"{mixture!r} has not been fitted; call fit first")
    samples = as_array(x)
    check_matrix(samples)
    check_finite(to_tensor(samples))
    ax = prepare(ax, (6.4, 5.4))
    kept = drawn_components(mixture)
    if samples.shape[1] == 1:
        _draw_histogram(ax, mixture, samples, kept)
    else:
        _draw_projection(ax, mixture, samples, kept)
    components = f"{len(kept)} {mixture.covariance_type} component{'s' if len(kept) > 1 else ''}"
    ellipses = "; ellipses at 1 and 2 σ" if samples.shape[1] > 1 else ""
    write_title(ax, f"{components}, {len(samples):,} samples{ellipses}")
    if len(kept) <= MOST_NAMED:
        add_legend(ax, "weight")
    return ax


def as_array(values: ArrayLike | Tensor) -> np.ndarray:
    """The values as a numpy array, from any device."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def drawn_components(mixture: FittedMixture) -> Int[np.ndarray, " k"]:
    """Components with some weight: a Bayesian mixture keeps those that it has emptied."""
    weights = as_array(mixture.weights_)
    return np.flatnonzero(weights >= FAINT * weights.max())


def thin(samples: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "m d"]:
    """At most ``MOST_POINTS`` of the samples, evenly."""
    return samples[:: math.ceil(len(samples) / MOST_POINTS)]


def projected_covariances(
    mixture: FittedMixture, axes: Float[np.ndarray, "d m"]
) -> Float[np.ndarray, "k m m"]:
    """The covariances of the components' projections on axes, whatever the covariance type."""
    projected = _PROJECTED[mixture.covariance_type](mixture, axes)
    return np.broadcast_to(projected, (len(mixture.means_), *projected.shape[-2:]))


def _of_matrices(mixture: Any, axes: Float[np.ndarray, "d m"]) -> Float[np.ndarray, "*k m m"]:
    return axes.T @ as_array(mixture.covariances_).astype(np.float64) @ axes


def _of_variances(mixture: Any, axes: Float[np.ndarray, "d m"]) -> Float[np.ndarray, "k m m"]:
    variances = as_array(mixture.covariances_).astype(np.float64).reshape(len(mixture.means_), -1)
    return axes.T @ (variances[..., None] * axes)


def _of_loadings(mixture: Any, axes: Float[np.ndarray, "d m"]) -> Float[np.ndarray, "k m m"]:
    # Never d × d: loadings are for samples so wide that a covariance would fill the memory.
    loadings = axes.T @ as_array(mixture.loadings_).astype(np.float64)
    noise = as_array(mixture.noise_variances_).astype(np.float64)
    return loadings @ loadings.swapaxes(-1, -2) + axes.T @ (noise[..., None] * axes)


_PROJECTED: dict[str, Callable[[Any, np.ndarray], np.ndarray]] = {
    "full": _of_matrices,
    "tied": _of_matrices,
    "diag": _of_variances,
    "spherical": _of_variances,
    "low_rank": _of_loadings,
}


def _draw_projection(
    ax: Axes,
    mixture: FittedMixture,
    samples: Float[np.ndarray, "n d"],
    kept: Int[np.ndarray, " k"],
) -> None:
    centre, axes = _view(samples)
    shown = thin(samples)
    points, labels = (shown - centre) @ axes, as_array(mixture.predict(shown))
    means = (as_array(mixture.means_) - centre) @ axes
    covariances = projected_covariances(mixture, axes)
    weights, size = as_array(mixture.weights_), 14 if len(shown) < 500 else 6
    for place, k in enumerate(kept):
        colour = COLOURS[place % len(COLOURS)]
        mine = points[labels == k]
        ax.scatter(*mine.T, s=size, color=colour, alpha=0.35, lw=0, rasterized=True)
        for sigma in SIGMAS:
            ax.add_patch(_ellipse(means[k], covariances[k], sigma, colour))
        ax.scatter(*means[k], marker="o", s=46, color=colour, ec="white", lw=1.3, zorder=4,
                   label=f"{k}: {weights[k]:.2f}")  # fmt: skip
    ax.autoscale_view()
    if samples.shape[1] == 2:
        ax.set(xlabel="feature 0", ylabel="feature 1")
    else:
        shares = ((samples - centre) @ axes).var(0) / samples.var(0).sum()
        ax.set(xlabel=f"principal axis 1 ({shares[0]:.0%} of variance)",
               ylabel=f"principal axis 2 ({shares[1]:.0%})")  # fmt: skip
    ax.set_aspect("equal", adjustable="datalim")


def _draw_histogram(
    ax: Axes,
    mixture: FittedMixture,
    samples: Float[np.ndarray, "n 1"],
    kept: Int[np.ndarray, " k"],
) -> None:
    bins = min(max(round(len(samples) ** 0.5), 10), 60)
    ax.hist(samples[:, 0], bins=bins, density=True, color="#D5D9E0", edgecolor="white", lw=0.4)
    grid = np.linspace(samples.min(), samples.max(), 512, dtype=samples.dtype)[:, None]
    density = np.exp(as_array(mixture.score_samples(grid)))
    ax.plot(grid[:, 0], density, color=INK, lw=1.2)
    joint = density[:, None] * as_array(mixture.predict_proba(grid))
    for place, k in enumerate(kept):
        label = f"{k}: {as_array(mixture.weights_)[k]:.2f}"
        colour = COLOURS[place % len(COLOURS)]
        ax.plot(grid[:, 0], joint[:, k], color=colour, lw=2, ls="--", label=label)
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


def _ellipse(
    mean: Float[np.ndarray, " 2"], covariance: Float[np.ndarray, "2 2"], sigma: float, colour: str
) -> Ellipse:
    variances, vectors = np.linalg.eigh(covariance)
    angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))
    width, height = 2 * sigma * np.sqrt(variances[::-1])
    return Ellipse(
        (mean[0], mean[1]), width, height, angle=angle, fc="none", ec=colour, lw=1.8 / sigma**0.5
    )
