"""Bayesian mixtures: ten components, of which they keep what they need."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from sklearn.datasets import make_moons

from gmm import BayesianGaussianMixture, plot_density, plot_mixture
from mixtures_lesson.blobs import N_INIT, SEED
from mixtures_lesson.page import Picture, Section

MOST = 10  # components to start from
PRUNED = 0.005  # weight that the lesson's two decimals show as zero
FEW = 73  # samples, few enough that the prior matters
CONCENTRATIONS = (0.01, 10_000)  # few components before any sample is seen, or many
ENOUGH = 1000  # iterations: variational EM empties a component slowly

PRUNING_TEXT = """
A Bayesian mixture is given {n_components} components and keeps those that it needs: {n_kept}. The
weights: {shown}.
"""
PRIOR_TEXT = """
With {n_samples} samples the prior on the weights matters: a concentration of {concentrations[0]:g}
leaves {n_kept[0]} components with a weight above 0.00, one of {concentrations[1]:g} leaves
{n_kept[1]}.
"""
MOONS_TEXT = """
Ellipsoids only: of the two moons it makes {n_kept} pieces, {n_mixed} of which take samples of both.
The density is good, so that outliers could be found; the clusters are not the moons.
"""


def pruning_section(x: Float[np.ndarray, "n 2"]) -> Section:
    """A Bayesian mixture of ten components that keeps three."""
    mixture = bayesian(n_init=N_INIT).fit(x)
    kept = kept_components(mixture)
    weights = np.sort(mixture.weights_)[::-1]
    numbers = {"n_components": MOST, "n_kept": kept, "weights": weights.tolist()}
    text = PRUNING_TEXT.format(**numbers, shown=", ".join(f"{weight:.2f}" for weight in weights))
    pictures = (Picture("pruning", f"{kept} of {MOST} are left", plot_mixture(mixture, x)),)
    return Section("pruning", "Bayesian pruning", text, numbers, pictures)


def prior_section(x: Float[np.ndarray, "n 2"]) -> Section:
    """What the concentration of the prior does, where the samples are few."""
    few = x[:FEW]
    weights: dict[str, list[float]] = {}
    kept = []
    for concentration in CONCENTRATIONS:
        mixture = bayesian(concentration=concentration).fit(few)
        kept.append(kept_components(mixture))
        weights[f"{concentration:g}"] = np.sort(mixture.weights_)[::-1].tolist()
    numbers = {
        "n_samples": FEW,
        "concentrations": list(CONCENTRATIONS),
        "n_kept": kept,
        "weights": weights,
    }
    pictures = (Picture("prior", f"Weights under two priors, {FEW} samples", _bars(weights)),)
    return Section("prior", "The prior", PRIOR_TEXT.format(**numbers), numbers, pictures)


def moons_section() -> Section:
    """Two moons, which no few Gaussians describe."""
    x, moon = make_moons(n_samples=1000, noise=0.05, random_state=SEED)
    mixture = bayesian(n_init=N_INIT).fit(x)
    labels = mixture.predict(x)
    mixed = sum(len(np.unique(moon[labels == k])) == 2 for k in np.unique(labels))
    numbers = {"n_kept": kept_components(mixture), "n_mixed": mixed}
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    plot_density(mixture, x, ax=figure.subplots())
    pictures = (Picture("moons", f"Two moons as {numbers['n_kept']} Gaussians", figure),)
    return Section("moons", "Moons", MOONS_TEXT.format(**numbers), numbers, pictures)


def _bars(weights: dict[str, list[float]]) -> Figure:
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    axes = figure.subplots(1, len(weights), sharey=True)
    for ax, (concentration, shown) in zip(axes, weights.items(), strict=True):
        ax.bar(np.arange(len(shown)), shown, color="#0072B2")
        ax.set_title(f"weight_concentration_prior = {concentration}", loc="left", fontsize=11)
        ax.set(xlabel="component", xticks=np.arange(len(shown)))
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("weight")
    return figure


def bayesian(n_init: int = 1, concentration: float | None = None) -> BayesianGaussianMixture:
    """The lesson's Bayesian mixture of ten components, with time enough to empty some."""
    return BayesianGaussianMixture(
        n_components=MOST,
        n_init=n_init,
        max_iter=ENOUGH,
        weight_concentration_prior=concentration,
        random_state=SEED,
    )


def kept_components(mixture: BayesianGaussianMixture) -> int:
    """Components whose weight does not round to 0.00."""
    return int((mixture.weights_ >= PRUNED).sum())
