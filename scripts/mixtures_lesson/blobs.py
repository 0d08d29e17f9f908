"""Three clusters in the plane: fit, four shapes, new samples, outliers."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.datasets import make_blobs

from gmm import GaussianMixture, density_threshold, plot_density, plot_mixture, plot_scores
from gmm.options import CovarianceType
from mixtures_lesson.page import Picture, Section, table

SEED = 42  # the lesson's
N_INIT = 10
SHAPES: tuple[CovarianceType, ...] = ("full", "tied", "diag", "spherical")
PERCENT = 4.0  # of the samples are outliers
GRID_STEP = 0.05  # of the integral of the density

FIT_TEXT = """
{n_samples:,} samples: two stretched clusters of 500 and a round one of 250, so that the true
proportions are 0.4, 0.4 and 0.2. Three Gaussians, the best of {n_init} starts; converged:
{converged}, after {n_iter} iterations.

{components}

Log density of a sample: {mean_log_density_nats:.4f} nats on average. It is a density, not a
probability: over the plane it integrates to {density_integral:.4f}.
"""
SHAPES_TEXT = """
*full*: each component has a matrix of its own. *tied*: all share one. *diag*: ellipses along the
axes. *spherical*: circles of different size. Only *full* has room for two tilted clusters beside a
round one, and the Bayesian information criterion (the less the better) says so.

{shapes}
"""
SAMPLING_TEXT = """
A mixture is a generative model. Of {n_samples:,} samples drawn from it, {drawn_shares[0]:.1%},
{drawn_shares[1]:.1%} and {drawn_shares[2]:.1%} come from its components, whose weights are
{weights[0]:.1%}, {weights[1]:.1%} and {weights[2]:.1%}; their mean is ({drawn_mean[0]:.2f},
{drawn_mean[1]:.2f}), that of the given ones ({given_mean[0]:.2f}, {given_mean[1]:.2f}).
"""
ANOMALIES_TEXT = """
The {percent:g} % of the samples where the density is least are called outliers: below
{threshold_nats:.3f} nats, {n_flagged} of {n_samples:,} samples. The threshold is taken on the
samples of the fit, as the lesson does. With {per_component} samples a component that makes no
difference; with ten it does, as the last section shows.
"""


def three_blobs() -> Float[np.ndarray, "1250 2"]:
    """The lesson's samples: two stretched clusters of 500, and a round one of 250."""
    pair, _ = make_blobs(n_samples=1000, centers=((4, -4), (0, 0)), random_state=SEED)[:2]
    single, _ = make_blobs(n_samples=250, centers=1, random_state=SEED)[:2]
    stretch, shift = np.array([[0.374, 0.95], [0.732, 0.598]]), np.array([6, -8])
    return np.concatenate([pair @ stretch, single + shift])


def fitted(x: Float[np.ndarray, "n d"], shape: CovarianceType = "full") -> GaussianMixture:
    """The lesson's mixture of three components."""
    return GaussianMixture(3, covariance_type=shape, n_init=N_INIT, random_state=SEED).fit(x)


def fit_section(x: Float[np.ndarray, "n 2"]) -> Section:
    """Weights, means, convergence, and the integral of the density."""
    mixture = fitted(x)
    order = np.argsort(-mixture.weights_)
    numbers = {
        "n_samples": len(x),
        "n_init": N_INIT,
        "weights": mixture.weights_[order].tolist(),
        "means": mixture.means_[order].tolist(),
        "covariances": mixture.covariances_[order].tolist(),
        "converged": mixture.converged_,
        "n_iter": mixture.n_iter_,
        "mean_log_density_nats": mixture.score(x),
        "density_integral": density_integral(mixture, x),
    }
    rows = [
        (f"{weight:.4f}", f"({mean[0]:.2f}, {mean[1]:.2f})")
        for weight, mean in zip(numbers["weights"], numbers["means"], strict=True)
    ]
    text = FIT_TEXT.format(**numbers, components=table(["weight", "mean"], rows))
    caption = "Density contours, decision boundaries (orange) and centroids"
    pictures = (
        Picture("blobs_density", caption, plot_density(mixture, x)),
        Picture("blobs_ellipses", "The three components", plot_mixture(mixture, x)),
    )
    return Section("blobs", "Three blobs", text, numbers, pictures)


def density_integral(mixture: GaussianMixture, x: Float[np.ndarray, "n 2"]) -> float:
    """The integral of the density over the rectangle of the samples, widened by three units."""
    low, high = x.min(0) - 3, x.max(0) + 3
    sides = [np.arange(a, b, GRID_STEP) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*sides)).reshape(2, -1).T
    return float(np.exp(mixture.score_samples(grid)).sum() * GRID_STEP**2)


def shapes_section(x: Float[np.ndarray, "n 2"]) -> Section:
    """The four shapes of covariance side by side."""
    figure = Figure(figsize=(12, 10), layout="constrained")
    bics: dict[str, float] = {}
    for shape, ax in zip(SHAPES, figure.subplots(2, 2).flat, strict=True):
        mixture = fitted(x, shape)
        bics[shape] = mixture.bic(x)
        plot_density(mixture, x, ax=ax)
        ax.set_title(f"{shape}, BIC {bics[shape]:,.0f}", loc="left", fontsize=11)
    rows = [(shape, f"{value:,.1f}") for shape, value in bics.items()]
    text = SHAPES_TEXT.format(shapes=table(["shape", "BIC"], rows))
    pictures = (Picture("shapes", "The four covariance types on the same samples", figure),)
    return Section("shapes", "Four shapes of covariance", text, {"bic": bics}, pictures)


def sampling_section(x: Float[np.ndarray, "n 2"]) -> Section:
    """As many new samples as there were, drawn from the mixture."""
    mixture = fitted(x)
    drawn, component = mixture.sample(len(x))
    order = np.argsort(-mixture.weights_)
    numbers = {
        "n_samples": len(drawn),
        "drawn_shares": (np.bincount(component, minlength=3)[order] / len(x)).tolist(),
        "weights": mixture.weights_[order].tolist(),
        "drawn_mean": drawn.mean(0).tolist(),
        "given_mean": x.mean(0).tolist(),
    }
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    _scatter(left, x, "given")
    _scatter(right, drawn, "drawn from the mixture")
    pictures = (Picture("sampling", "Given and drawn samples", figure),)
    return Section("sampling", "Sampling", SAMPLING_TEXT.format(**numbers), numbers, pictures)


def anomalies_section(x: Float[np.ndarray, "n 2"]) -> Section:
    """The 4 % of the samples with the least density."""
    mixture = fitted(x)
    scores = mixture.score_samples(x)
    threshold = density_threshold(scores, PERCENT)
    numbers = {
        "percent": PERCENT,
        "threshold_nats": threshold.threshold_nats,
        "n_flagged": int(threshold.flags(scores).sum()),
        "n_samples": len(x),
        "per_component": len(x) // mixture.n_components,
    }
    flagged = plot_density(mixture, x, threshold_nats=threshold.threshold_nats)
    histogram = plot_scores(scores, threshold.threshold_nats)
    pictures = (
        Picture("anomalies", "Outliers, outside the dashed contour", flagged),
        Picture("anomaly_scores", "Their log densities", histogram),
    )
    return Section("anomalies", "Anomalies", ANOMALIES_TEXT.format(**numbers), numbers, pictures)


def _scatter(ax: Axes, samples: Float[np.ndarray, "n 2"], title: str) -> None:
    ax.scatter(*samples.T, s=5, color="#0072B2", alpha=0.6, lw=0)
    ax.set_title(title, loc="left", fontsize=11)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_aspect("equal")
