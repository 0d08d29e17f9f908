"""What the tests of samples in parts share: chunks, and what a fit to them has to equal."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gmm.estimator import GaussianMixture

ATTRIBUTES = ("weights_", "means_", "covariances_")
EXACTLY = {"rtol": 1e-12, "atol": 1e-12}


@pytest.fixture(scope="session")
def cut() -> Callable[..., list[np.ndarray]]:
    """Cuts samples into chunks of random lengths, some of them empty."""

    def cut(x: np.ndarray, seed: int = 0, n_cuts: int = 9) -> list[np.ndarray]:
        places = np.random.default_rng(seed).integers(0, len(x), n_cuts)
        return np.split(x, np.sort(places))

    return cut


@pytest.fixture(scope="session")
def assert_same_fit() -> Callable[[GaussianMixture, GaussianMixture], None]:
    """Asserts that two fits took the same steps to the same mixture."""

    def assert_same_fit(found: GaussianMixture, expected: GaussianMixture) -> None:
        assert found.n_iter_ == expected.n_iter_
        np.testing.assert_allclose(found.lower_bounds_, expected.lower_bounds_, **EXACTLY)
        for name in ATTRIBUTES:
            values, wanted = getattr(found, name), getattr(expected, name)
            np.testing.assert_allclose(np.asarray(values), wanted, err_msg=name, **EXACTLY)

    return assert_same_fit


@pytest.fixture
def whole(covariance_type: Any, blobs: np.ndarray) -> GaussianMixture:
    """A fit to the blobs as one matrix."""
    settings: dict[str, Any] = {"covariance_type": covariance_type, "n_init": 2, "random_state": 0}
    return GaussianMixture(3, **settings).fit(blobs)


@pytest.fixture(scope="session")
def streamed() -> Callable[..., GaussianMixture]:
    """Fits a mixture of the same settings as another to a stream."""

    def streamed(whole: GaussianMixture, stream: Any, **others: Any) -> GaussianMixture:
        return GaussianMixture(**whole.get_params()).fit(stream, **others)

    return streamed
