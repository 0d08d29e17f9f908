"""Samples that the tests of the mixtures share."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs

from gmm.estimator import GaussianMixture

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")


@pytest.fixture(params=COVARIANCE_TYPES)
def covariance_type(request):
    return request.param


@pytest.fixture(scope="session")
def blobs() -> np.ndarray:
    """Three correlated, overlapping clusters of 4 features, about 150 samples each."""
    random = np.random.default_rng(7)
    parts = [
        random.normal(size=(n, 4)) @ random.normal(size=(4, 4)) + random.normal(size=4) * 2
        for n in (120, 150, 180)
    ]
    return np.concatenate(parts)


@pytest.fixture(scope="session")
def soft_responsibilities() -> torch.Tensor:
    """Random responsibilities of two runs of three components for ``blobs``."""
    resp = torch.rand(2, 3, 450, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    return resp / resp.sum(1, keepdim=True)


@pytest.fixture(params=(*COVARIANCE_TYPES, "low_rank"), scope="session")
def fitted_to_blobs(request: pytest.FixtureRequest, blobs: np.ndarray) -> GaussianMixture:
    """Three components of each type; never fitted again."""
    settings = {"rank": 2, "random_state": 0, "max_iter": 500}
    return GaussianMixture(3, covariance_type=request.param, **settings).fit(blobs)


@pytest.fixture(scope="session")
def easy() -> np.ndarray:
    """Three round clusters of different size, far apart."""
    centres = [[0, 0], [12, 12], [24, -3]]
    return make_blobs(300, centers=centres, cluster_std=[1, 1.4, 0.6], random_state=0)[0]


@pytest.fixture
def holed(blobs: np.ndarray) -> np.ndarray:
    """The blobs with a fifth of their values missing, and nothing known of the first."""
    holes = np.random.default_rng(0).random(blobs.shape) < 0.2
    holes[0] = True
    return np.where(holes, np.nan, blobs)
