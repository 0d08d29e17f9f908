"""Gaussian mixtures in torch: scikit-learn's estimator, restarts in one batch.

Names are loaded when they are first used, so that ``import gmm`` does not load torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gmm.anomaly import DensityThreshold, density_threshold
    from gmm.bayesian import BayesianGaussianMixture
    from gmm.candidates import Candidate
    from gmm.detector import DensityDetector
    from gmm.em.parameters import Parameters
    from gmm.estimator import GaussianMixture
    from gmm.files.matrices import read_matrix, write_columns
    from gmm.interchange import from_sklearn, to_sklearn
    from gmm.mixture import Mixture
    from gmm.persistence import load, save
    from gmm.plots.criterion import plot_criterion
    from gmm.plots.density import plot_density
    from gmm.plots.mixture import plot_mixture
    from gmm.plots.scores import plot_scores
    from gmm.plots.style import save_figure
    from gmm.samples.chunks import Chunks
    from gmm.samples.distributed import Sharded
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
    "Chunks": "samples.chunks",
    "DensityDetector": "detector",
    "DensityThreshold": "anomaly",
    "GaussianMixture": "estimator",
    "Mixture": "mixture",
    "Parameters": "em.parameters",
    "Sharded": "samples.distributed",
    "Sweep": "selection",
    "density_threshold": "anomaly",
    "from_sklearn": "interchange",
    "load": "persistence",
    "plot_criterion": "plots.criterion",
    "plot_density": "plots.density",
    "plot_mixture": "plots.mixture",
    "plot_scores": "plots.scores",
    "read_matrix": "files.matrices",
    "save": "persistence",
    "save_figure": "plots.style",
    "sweep": "selection",
    "to_sklearn": "interchange",
    "write_columns": "files.matrices",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"gmm.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
