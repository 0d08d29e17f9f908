"""What ``bench_gmm.py`` and its map measure on: clusters, and a start for both libraries."""

from typing import Any

import numpy as np

from gmm.estimator import GaussianMixture
from gmm.options import CovarianceType

FIRST_SAMPLES = 20_000  # of which a start is made


def data(
    n_samples: int, n_features: int, n_components: int, seed: int = 0, spread: float = 2.0
) -> np.ndarray:
    """Overlapping clusters, so that EM has something to do.

    Args:
        n_samples: Number of samples.
        n_features: d.
        n_components: Number of clusters.
        seed: Of the draw.
        spread: Standard deviation of the centres in each feature, in those of a cluster.
    """
    random = np.random.default_rng(seed)
    centres = random.normal(size=(n_components, n_features)) * spread
    noise = random.normal(size=(n_samples, n_features))
    return centres[random.integers(n_components, size=n_samples)] + noise


def initial(
    x: np.ndarray, covariance_type: CovarianceType, seed: int, n_components: int = 16
) -> dict[str, Any]:
    """The parameters after one iteration from random samples, as both libraries take them."""
    settings: dict[str, Any] = {
        "init_params": "random_from_data",
        "random_state": seed,
        "max_iter": 1,
    }
    start = GaussianMixture(
        n_components, covariance_type=covariance_type, reg_covar=0.1, **settings
    )
    fit = start.fit(x[:FIRST_SAMPLES])
    return {
        "weights_init": fit.weights_,
        "means_init": fit.means_,
        "precisions_init": fit.precisions_,
    }
