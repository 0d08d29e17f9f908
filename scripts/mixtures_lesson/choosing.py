"""How many components, and of which shape: by information criteria."""

import numpy as np
from jaxtyping import Float

from gmm import plot_criterion, sweep
from gmm.options import Criterion, InitMethod
from mixtures_lesson.blobs import N_INIT, SEED, SHAPES
from mixtures_lesson.page import Picture, Section, table

COUNTS = range(1, 11)
N_FOLDS = 5  # of the held-out likelihood
START: tuple[InitMethod, ...] = ("kmeans",)  # the lesson's; others find a likelier mixture
CRITERIA: tuple[Criterion, ...] = ("bic", "aic", "icl", "held_out")

CRITERIA_TEXT = """
More components always fit better; the criteria charge for their parameters. With three components
BIC is {bic[2]:,.2f} and AIC {aic[2]:,.2f}. The least BIC is at {least_at[bic]} components, the
least AIC at {least_at[aic]}. Two that the lesson does not have: ICL, which also charges for
components that share samples, is least at {least_at[icl]}; -2 log likelihood of held-out samples,
which need not charge for anything, at {least_at[held_out]}.
"""
SEARCH_TEXT = """
{n_cells} mixtures, each the best of {n_init} starts: {n_fits} fits in one call. The least BIC is
{least_bic:,.1f}, of {best_n_components} components with *{best_covariance_type}* covariances.

{cells}
"""


def criteria_section(x: Float[np.ndarray, "n 2"]) -> Section:
    """BIC, AIC, ICL and held-out likelihood over the number of full components."""
    found = sweep(x, COUNTS, ["full"], n_init=N_INIT, seed=SEED, n_folds=N_FOLDS, init_params=START)
    curves = {name: [getattr(row, name) for row in found.rows] for name in CRITERIA}
    least = {name: COUNTS[int(np.argmin(curve))] for name, curve in curves.items()}
    numbers = {**curves, "least_at": least}
    drawn = plot_criterion(found, CRITERIA)
    pictures = (Picture("criteria", "Criteria over the number of components", drawn),)
    text = CRITERIA_TEXT.format(**numbers)
    return Section("criteria", "How many components", text, numbers, pictures)


def search_section(x: Float[np.ndarray, "n 2"]) -> Section:
    """Ten numbers of components × four shapes."""
    found = sweep(x, COUNTS, SHAPES, n_init=N_INIT, seed=SEED, init_params=START)
    bic = {(row.n_components, row.covariance_type): row.bic for row in found.rows}
    numbers = {
        "n_cells": len(bic),
        "n_init": N_INIT,
        "n_fits": len(bic) * N_INIT,
        "best_n_components": found.best.n_components,
        "best_covariance_type": found.best.covariance_type,
        "least_bic": found.best.bic,
        "bic": {shape: [bic[k, shape] for k in COUNTS] for shape in SHAPES},
    }
    rows = [(str(k), *(f"{bic[k, shape]:,.1f}" for shape in SHAPES)) for k in COUNTS]
    text = SEARCH_TEXT.format(**numbers, cells=table(["components", *SHAPES], rows))
    pictures = (Picture("search", "BIC of every cell of the search", plot_criterion(found)),)
    return Section("search", "Forty cells", text, numbers, pictures)
