from typing import get_args

import numpy as np
import pytest
import torch

from gmm.covariance import COVARIANCES
from gmm.em import initialization
from gmm.em.likelihood import Likelihood
from gmm.estimator import GaussianMixture
from gmm.options import InitMethod
from gmm.samples.in_memory import InMemory

METHODS = get_args(InitMethod)


def responsibilities(x, method, seeds, k=3):
    return torch.cat(
        list(initialization.start(InMemory(x), k, method, seeds).responsibilities()), 2
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_restart_does_not_depend_on_its_batch_mates(method, blobs):
    x = torch.from_numpy(blobs)
    together = responsibilities(x, method, [3, 1, 4])
    for row, seed in enumerate([3, 1, 4]):
        assert torch.equal(together[row], responsibilities(x, method, [seed])[0])


@pytest.mark.parametrize("method", METHODS)
def test_a_start_can_be_read_twice(method, blobs):
    start = initialization.start(InMemory(torch.from_numpy(blobs)), 3, method, [0])
    first, second = (torch.cat(list(start.responsibilities()), 2) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("method", ["kmeans", "random"])
def test_every_sample_is_shared_out_wholly(method, blobs):
    resp = responsibilities(torch.from_numpy(blobs), method, [0, 1])
    torch.testing.assert_close(resp.sum(1), torch.ones(2, 450, dtype=torch.float64))


@pytest.mark.parametrize("method", ["k-means++", "random_from_data"])
def test_every_component_starts_at_a_sample_of_its_own(method, blobs):
    x = torch.from_numpy(blobs)
    samples = InMemory(x)
    parameters, valid = initialization.start(samples, 5, method, [0, 1]).parameters(
        samples, Likelihood(COVARIANCES["full"], 1e-6)
    )
    assert valid.all()
    for means in parameters.means:
        nearest = torch.cdist(means, x).min(1)
        assert nearest.values.max() < 1e-6  # cdist cancels
        assert len(set(nearest.indices.tolist())) == 5


def test_random_responsibilities_cross_part_borders(monkeypatch, blobs):
    monkeypatch.setattr(initialization, "PART", 100)
    parts = list(
        initialization.start(InMemory(torch.from_numpy(blobs)), 2, "random", [0]).responsibilities()
    )
    assert [part.shape[2] for part in parts] == [100, 100, 100, 100, 50]
    assert not np.allclose(parts[0], parts[1])


@pytest.mark.parametrize("method", ["kmeans", "k-means++"])
def test_a_fit_to_weighted_samples_is_the_fit_to_repeated_ones(method, covariance_type, blobs):
    counts = np.arange(len(blobs)) % 3
    settings = {"covariance_type": covariance_type, "init_params": method, "random_state": 0}
    settings |= {"n_init": 2, "max_iter": 5, "tol": 0.0, "reg_covar": 1e-2}
    weighted = GaussianMixture(3, **settings).fit(blobs, sample_weight=counts)
    repeated = GaussianMixture(3, **settings).fit(blobs.repeat(counts, axis=0))
    np.testing.assert_allclose(weighted.lower_bounds_, repeated.lower_bounds_, rtol=1e-10)
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", ["kmeans", "k-means++", "random_from_data"])
def test_a_fit_never_starts_from_a_sample_of_weight_zero(method, blobs):
    counts = (np.arange(len(blobs)) % 3 > 0).astype(float)
    settings = {"init_params": method, "random_state": 0, "max_iter": 5, "tol": 0.0}
    weighted = GaussianMixture(3, **settings).fit(blobs, sample_weight=counts)
    without = GaussianMixture(3, **settings).fit(blobs[counts > 0])
    np.testing.assert_allclose(weighted.lower_bounds_, without.lower_bounds_, rtol=1e-10)
