import pytest
import torch
from torch.distributions import MultivariateNormal

from gmm.em.parameters import Parameters
from gmm.mixture import Mixture

EXACTLY = {"rtol": 0, "atol": 1e-10}


@pytest.fixture
def mixture(fitted_to_blobs):
    return fitted_to_blobs.as_module()


@pytest.fixture
def x(blobs):
    return torch.from_numpy(blobs[::10])


def test_it_answers_as_the_estimator_does(fitted_to_blobs, mixture, x):
    expected = torch.from_numpy(fitted_to_blobs.score_samples(x.numpy()))
    torch.testing.assert_close(mixture.log_prob(x), expected, **EXACTLY)
    torch.testing.assert_close(mixture(x), expected, **EXACTLY)
    expected = torch.from_numpy(fitted_to_blobs.predict_proba(x.numpy()))
    torch.testing.assert_close(mixture.responsibilities(x), expected, **EXACTLY)


def test_it_is_the_mixture_of_torch_distributions(mixture, x):
    distribution = mixture.to_distribution()
    torch.testing.assert_close(mixture.log_prob(x), distribution.log_prob(x), **EXACTLY)
    assert distribution.sample((5, 2)).shape == (5, 2, 4)


def test_it_is_the_mixture_of_its_covariance_matrices(mixture, x):
    normal = MultivariateNormal(mixture.means, mixture.covariance_matrices())
    expected = (mixture.weights.log() + normal.log_prob(x[:, None])).logsumexp(-1)
    torch.testing.assert_close(mixture.log_prob(x), expected, **EXACTLY)


def test_gradients_are_those_of_finite_differences(mixture, x):
    at = x[:3].clone().requires_grad_()
    assert torch.autograd.gradcheck(mixture.log_prob, at)
    assert torch.autograd.gradcheck(mixture.responsibilities, at)


def test_any_leading_axes_and_both_precisions(mixture, x):
    batch = x[:12].reshape(2, 3, 2, 4)
    expected = mixture.log_prob(x[:12]).reshape(2, 3, 2)
    torch.testing.assert_close(mixture.log_prob(batch), expected, **EXACTLY)
    assert mixture.responsibilities(batch).shape == (2, 3, 2, 3)
    assert mixture.log_prob(x[0]).shape == ()
    single = mixture.log_prob(batch.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected, rtol=1e-4, atol=1e-4)


def test_its_state_moves_and_is_loaded(mixture, x):
    expected = mixture.log_prob(x)
    state = {name: values.clone() for name, values in mixture.state_dict().items()}
    assert set(state) == {"weights", "means", "precisions_cholesky"}
    assert not list(mixture.parameters())
    blank = Parameters(*(torch.ones_like(values)[None] for values in state.values()))
    other = Mixture(blank, mixture.covariance)
    other.load_state_dict(state)
    torch.testing.assert_close(other.log_prob(x), expected, rtol=0, atol=0)
    assert other.float().means.dtype == torch.float32
    torch.testing.assert_close(other.log_prob(x), expected, rtol=1e-3, atol=1e-3)


def test_samples_have_its_moments_and_come_in_no_order(mixture):
    source = torch.Generator().manual_seed(0)
    drawn = mixture.sample(40000, source)
    weights, means = mixture.weights[:, None], mixture.means
    mean = (weights * means).sum(0)
    within = (weights[..., None] * mixture.covariance_matrices()).sum(0)
    covariance = within + (weights * (means - mean)).T @ (means - mean)
    scale = covariance.diagonal().sqrt()
    assert ((drawn.mean(0) - mean).abs() / scale).max() < 0.03
    assert ((drawn.T.cov() - covariance).abs() / scale[:, None] / scale).max() < 0.04
    again = mixture.sample(40000, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, again)
    halves = drawn.reshape(2, -1, 4).mean(1)
    assert ((halves[0] - halves[1]).abs() / scale).max() < 0.05


def test_several_runs_are_refused(mixture):
    parameters = mixture.as_parameters()
    both = parameters.select(torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="parameters hold 2 runs, expected one"):
        Mixture(both, mixture.covariance)
