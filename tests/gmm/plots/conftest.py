"""What the tests of this folder share."""

import numpy as np
import pytest

from gmm.estimator import GaussianMixture


@pytest.fixture(scope="module")
def plane(blobs) -> np.ndarray:
    return blobs[:, :2]


@pytest.fixture(scope="module")
def mixture(plane) -> GaussianMixture:
    return GaussianMixture(3, n_init=3, random_state=0).fit(plane)
