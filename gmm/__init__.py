"""Gaussian mixtures in torch: scikit-learn's estimator, restarts in one batch.

Names are loaded when they are first used, so that ``import gmm`` does not load torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gmm.anomaly import DensityThreshold, density_threshold
    from gmm.bayesian import BayesianGaussianMixture
    from gmm.candidates import Candidate
    from gmm.chunks import Chunks
    from gmm.detector import DensityDetector
    from gmm.distributed import Sharded
    from gmm.estimator import GaussianMixture
    from gmm.interchange import from_sklearn, to_sklearn
    from gmm.matrices import read_matrix, write_columns
    from gmm.mixture import Mixture
    from gmm.parameters import Parameters
    from gmm.persistence import load, save
    from gmm.plots import plot_criterion, plot_scores, save_figure
    from gmm.plots_density import plot_density
    from gmm.plots_mixture import plot_mixture
    from gmm.selection import Sweep, sweep

__all__ = [
    "BayesianGaussianMixture",
    "Candidate",
    "Chunks",
    "DensityDetector",
    "DensityThreshold",
    "GaussianMixture",
    "Mixture",
    "Parameters",
    "Sharded",
    "Sweep",
    "density_threshold",
    "from_sklearn",
    "load",
    "plot_criterion",
    "plot_density",
    "plot_mixture",
    "plot_scores",
    "read_matrix",
    "save",
    "save_figure",
    "sweep",
    "to_sklearn",
    "write_columns",
]

_HOMES = {
    "BayesianGaussianMixture": "bayesian",
    "Candidate": "candidates",
    "Chunks": "chunks",
    "DensityDetector": "detector",
    "DensityThreshold": "anomaly",
    "GaussianMixture": "estimator",
    "Mixture": "mixture",
    "Parameters": "parameters",
    "Sharded": "distributed",
    "Sweep": "selection",
    "density_threshold": "anomaly",
    "from_sklearn": "interchange",
    "load": "persistence",
    "plot_criterion": "plots",
    "plot_density": "plots_density",
    "plot_mixture": "plots_mixture",
    "plot_scores": "plots",
    "read_matrix": "matrices",
    "save": "persistence",
    "save_figure": "plots",
    "sweep": "selection",
    "to_sklearn": "interchange",
    "write_columns": "matrices",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"gmm.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
