import pytest
import torch

from gmm.covariance import covariance_of
from gmm.em import few_samples, log_density
from gmm.em.initialization import from_responsibilities
from gmm.em.likelihood import Likelihood
from gmm.samples.in_memory import InMemory

TYPES = ("full", "tied", "diag", "spherical", "low_rank")


@pytest.fixture(params=TYPES)
def mixture(request, blobs, soft_responsibilities):
    """Samples and two mixtures of them."""
    covariance, x = covariance_of(request.param, 2), torch.from_numpy(blobs)
    start = from_responsibilities(
        InMemory(x), [soft_responsibilities], len(x), Likelihood(covariance, 1e-3)
    )
    return x, start[0], covariance


@pytest.mark.parametrize("n_samples", [1, 3, 40])
def test_few_samples_have_the_log_density_that_they_have_among_many(
    mixture, n_samples, monkeypatch
):
    x, *about = mixture
    few = log_density.log_density(x[:n_samples], *about)
    monkeypatch.setattr(few_samples, "MOST_NUMBERS", 0)
    many = log_density.log_density(x, *about)[:, :n_samples]
    torch.testing.assert_close(few, many, rtol=1e-12, atol=1e-12)


def test_the_gradient_of_few_samples_is_that_of_many(mixture, monkeypatch):
    x, *about = mixture
    x = x[:5].clone().requires_grad_()
    (few,) = torch.autograd.grad(log_density.log_density(x, *about).sum(), x)
    monkeypatch.setattr(few_samples, "MOST_NUMBERS", 0)
    (many,) = torch.autograd.grad(log_density.log_density(x, *about).sum(), x)
    torch.testing.assert_close(few, many, rtol=1e-11, atol=1e-11)


def test_few_samples_in_float32_are_scored_in_float64(mixture):
    x, *about = mixture
    single = x[:5].float()
    values = log_density.log_density(single, *about)
    assert torch.equal(values, log_density.log_density(single.double(), *about))


def test_how_many_are_few_depends_on_the_numbers_that_an_operation_writes(mixture):
    _, parameters, _ = mixture
    per_sample = parameters.means[0].numel()
    most = few_samples.MOST_NUMBERS // per_sample
    assert few_samples.are_few(most, parameters)
    assert not few_samples.are_few(most + 1, parameters)
