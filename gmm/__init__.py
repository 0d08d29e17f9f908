"""Gaussian mixtures in torch: scikit-learn's estimator, restarts in one batch.

Names are loaded when they are first used, so that ``import gmm`` does not load torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gmm.anomaly import DensityThreshold, density_threshold
    from gmm.estimator import GaussianMixture
    from gmm.matrices import read_matrix, write_columns
    from gmm.parameters import Parameters
    from gmm.persistence import load, save
    from gmm.plots import plot_criterion, plot_mixture, save_figure
    from gmm.selection import Candidate, Sweep, sweep

__all__ = [
    "Candidate",
    "DensityThreshold",
    "GaussianMixture",
    "Parameters",
    "Sweep",
    "density_threshold",
    "load",
    "plot_criterion",
    "plot_mixture",
    "read_matrix",
    "save",
    "save_figure",
    "sweep",
    "write_columns",
]

_HOMES = {
    "Candidate": "selection",
    "DensityThreshold": "anomaly",
    "GaussianMixture": "estimator",
    "Parameters": "parameters",
    "Sweep": "selection",
    "density_threshold": "anomaly",
    "load": "persistence",
    "plot_criterion": "plots",
    "plot_mixture": "plots",
    "read_matrix": "matrices",
    "save": "persistence",
    "save_figure": "plots",
    "sweep": "selection",
    "write_columns": "matrices",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"gmm.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
