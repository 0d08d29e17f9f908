from typing import get_args

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from gmm import BayesianGaussianMixture, sweep
from gmm.covariance import COVARIANCES
from gmm.em import initialization
from gmm.em.likelihood import Likelihood
from gmm.estimator import GaussianMixture
from gmm.options import InitMethod
from gmm.samples.in_memory import InMemory

METHODS = get_args(InitMethod)


def responsibilities(x, method, seeds, k=3):
    return torch.cat(
        list(
            initialization.start(InMemory(x), k, method, seeds).responsibilities(
                initialization.PART
            )
        ),
        2,
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
    first, second = (
        torch.cat(list(start.responsibilities(initialization.PART)), 2) for _ in range(2)
    )
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
    start = initialization.start(InMemory(torch.from_numpy(blobs)), 2, "random", [0])
    parts = list(start.responsibilities(100))
    assert [part.shape[2] for part in parts] == [100, 100, 100, 100, 50]
    assert not np.allclose(parts[0], parts[1])
    assert torch.equal(torch.cat(list(start.responsibilities(300)), 2), torch.cat(parts, 2))


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


def stripes(width):
    """Three clusters, one above the other, along a first feature of some width."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 100)
    return np.c_[random.normal(0, width, 300), 4 * labels + random.normal(0, 0.5, 300)], labels


def test_scaled_kmeans_is_kmeans_of_scaled_features():
    x = torch.from_numpy(stripes(1e6)[0])
    scaled = x / x.std(0, correction=0)
    found = initialization.start(InMemory(x), 3, "scaled_kmeans", [0, 1])
    expected = initialization.start(InMemory(scaled), 3, "kmeans", [0, 1])
    assert (found.labels == expected.labels).all()
    constant = torch.cat([x, torch.ones(300, 1)], 1)
    found = initialization.start(InMemory(constant), 3, "scaled_kmeans", [0, 1])
    assert (found.labels == expected.labels).all()


def test_a_wide_feature_does_not_spoil_a_scaled_start():
    x, labels = stripes(40)
    for estimator in (GaussianMixture, BayesianGaussianMixture):
        settings = {"covariance_type": "tied", "n_init": 10, "random_state": 0, "max_iter": 300}
        mixture = estimator(3, init_params="scaled_kmeans", **settings)
        assert adjusted_rand_score(labels, mixture.fit_predict(x)) > 0.98
    mixed = sweep(x, [3], ["tied"], n_init=10)
    raw = sweep(x, [3], ["tied"], n_init=10, init_params=["kmeans"])
    assert mixed.best.lower_bound > raw.best.lower_bound


def test_mixed_starts_take_turns_and_each_is_what_it_is_alone(blobs):
    samples, methods = InMemory(torch.from_numpy(blobs)), ("kmeans", "random", "scaled_kmeans")
    objective, seeds = Likelihood(COVARIANCES["full"], 1e-6), [3, 4, 5, 6]
    mixed = initialization.mixed_start(samples, 3, methods, seeds).parameters(samples, objective)[0]
    for run, (method, seed) in enumerate(zip([*methods, "kmeans"], seeds, strict=True)):
        alone = initialization.start(samples, 3, method, [seed]).parameters(samples, objective)[0]
        torch.testing.assert_close(mixed.means[run], alone.means[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("methods", ["kmeans", [], ["guess"]])
def test_ways_to_start_that_cannot_be_are_refused(methods, blobs):
    with pytest.raises(ValueError, match="init_params="):
        sweep(blobs, [1], init_params=methods)
