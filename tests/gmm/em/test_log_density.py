import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions import MultivariateNormal

from gmm.covariance import COVARIANCES
from gmm.em import few_samples, log_density
from gmm.em.initialization import from_responsibilities
from gmm.em.likelihood import Likelihood
from gmm.em.parameters import Parameters
from gmm.samples.in_memory import InMemory


@pytest.fixture
def mixture(covariance_type, blobs, soft_responsibilities):
    """Samples and two mixtures of them."""
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    resp = soft_responsibilities**4
    resp = resp / resp.sum(1, keepdim=True)
    start = from_responsibilities(InMemory(x), [resp], len(x), Likelihood(covariance, 1e-3))
    return x, start[0], covariance


def by_definition(x, parameters, covariance):
    """log w_k + log N(x | μ_k, Σ_k) by torch.distributions."""
    dense = covariance.dense(
        parameters.precisions_cholesky, parameters.n_components, parameters.n_features
    )
    normal = MultivariateNormal(parameters.means, covariance_matrix=dense)
    return parameters.weights.log() + normal.log_prob(x[:, None, None])


def test_log_density_is_that_of_torch_distributions(mixture):
    expected = by_definition(*mixture).logsumexp(-1).T
    torch.testing.assert_close(log_density.log_density(*mixture), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("offset", [20.0, 1e6])
def test_densities_are_the_same_however_far_the_origin_is(mixture, offset, monkeypatch):
    monkeypatch.setattr(few_samples, "MOST_NUMBERS", 0)
    x, parameters, covariance = mixture
    expected = log_density.log_density(x, parameters, covariance)
    moved = parameters.translate(torch.full_like(x[0], offset))
    values = log_density.log_density(x + offset, moved, covariance)
    torch.testing.assert_close(values, expected, rtol=1e-9, atol=1e-7)


def test_responsibilities_follow_bayes_rule_and_labels_are_the_largest(mixture):
    expected = by_definition(*mixture).softmax(-1).transpose(0, 1)
    found = log_density.responsibilities(*mixture)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert torch.equal(log_density.labels(*mixture), found.argmax(-1))


def test_many_float32_samples_lose_digits_of_float32_only(mixture, monkeypatch):
    monkeypatch.setattr(few_samples, "MOST_NUMBERS", 0)
    x, parameters, covariance = mixture
    found = log_density.log_density(x.float(), parameters, covariance)
    expected = log_density.log_density(x.float().double(), parameters, covariance)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=2e-6, atol=2e-6)


def test_float32_samples_of_distant_narrow_components_keep_their_digits(mixture):
    x, parameters, covariance = mixture
    narrow = dataclasses.replace(
        parameters, precisions_cholesky=parameters.precisions_cholesky * 100
    )
    found = log_density.log_density(x.float(), narrow, covariance)
    expected = log_density.log_density(x.float().double(), narrow, covariance)
    # What is computed about each component's own mean stays in float32.
    tolerance = 2e-6 if covariance.far_in_float32 else 1e-12
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


def test_what_does_not_pack_takes_the_residual_form_and_agrees(monkeypatch, mixture):
    expected = log_density.log_density(*mixture)
    monkeypatch.setattr(type(mixture[2]), "packs", lambda self, task: False)
    found = log_density.log_density(*mixture)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_the_gradient_points_at_the_mean_of_a_single_gaussian():
    parameters = Parameters(
        torch.ones(1, 1, dtype=torch.float64),
        torch.tensor([[[1.0, 2.0]]], dtype=torch.float64),
        torch.ones(1, 1, 2, dtype=torch.float64),
    )
    x = torch.tensor([[4.0, 6.0]], dtype=torch.float64, requires_grad=True)
    log_density.log_density(x, parameters, COVARIANCES["diag"]).sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([[-3.0, -4.0]], dtype=torch.float64))


@pytest.fixture(params=["few", "many"])
def form(request, monkeypatch):
    """Samples are taken for few, or for many."""
    if request.param == "many":
        monkeypatch.setattr(few_samples, "MOST_NUMBERS", 0)


@pytest.mark.usefixtures("form")
def test_far_samples_keep_finite_log_densities_and_probabilities(mixture):
    x, parameters, covariance = mixture
    far = x[:3] * 1e6
    assert log_density.log_density(far, parameters, covariance).isfinite().all()
    found = log_density.responsibilities(far, parameters, covariance)
    torch.testing.assert_close(found.sum(-1), torch.ones_like(found[..., 0]))


@pytest.mark.usefixtures("form")
def test_samples_whose_squares_overflow_keep_finite_probabilities(mixture):
    x, parameters, covariance = mixture
    far = torch.full_like(x[:2], 1e200) * torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    found = log_density.responsibilities(far, parameters, covariance)
    torch.testing.assert_close(found.sum(-1), torch.ones_like(found[..., 0]))
    assert log_density.log_density(far, parameters, covariance).isfinite().all()


def test_entropy_is_that_of_the_responsibilities(mixture):
    expected = scipy.stats.entropy(log_density.responsibilities(*mixture), axis=-1)
    np.testing.assert_allclose(log_density.entropy(*mixture), expected, atol=1e-12)


def test_draws_have_the_mixtures_moments(mixture):
    _, parameters, covariance = mixture
    first = parameters.select(torch.tensor([0]))
    n_samples = 40_000
    x, component = log_density.draw(first, covariance, n_samples, torch.Generator().manual_seed(5))
    dense = covariance.dense(first.precisions_cholesky, 3, 4)[0]
    for k in range(3):
        mine = x[component == k]
        error = (mine.mean(0) - first.means[0, k]) / (dense[k].diagonal() / len(mine)).sqrt()
        assert error.abs().max() < 5  # standard errors
        scale = dense[k].diagonal().max()
        assert (mine.T.cov() - dense[k]).abs().max() < 10 * scale / math.sqrt(len(mine))
    shares = component.bincount() / n_samples
    np.testing.assert_allclose(shares, first.weights[0], atol=0.02)
    assert (component.diff() >= 0).all()
