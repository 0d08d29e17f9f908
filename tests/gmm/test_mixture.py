import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from gmm.covariance import covariance_of
from gmm.em.parameters import Parameters
from gmm.estimator import GaussianMixture
from gmm.mixture import Mixture

TYPES = ("full", "tied", "diag", "spherical", "low_rank")
EXACTLY = {"rtol": 0, "atol": 1e-10}


@pytest.fixture(params=TYPES, scope="module")
def fitted(request, blobs):
    settings = {"rank": 2, "random_state": 0, "max_iter": 500}
    return GaussianMixture(3, covariance_type=request.param, **settings).fit(blobs)


@pytest.fixture
def mixture(fitted):
    return fitted.as_module()


@pytest.fixture
def x(blobs):
    return torch.from_numpy(blobs[::10])


def test_it_answers_as_the_estimator_does(fitted, mixture, x):
    expected = torch.from_numpy(fitted.score_samples(x.numpy()))
    torch.testing.assert_close(mixture.log_prob(x), expected, **EXACTLY)
    torch.testing.assert_close(mixture(x), expected, **EXACTLY)
    expected = torch.from_numpy(fitted.predict_proba(x.numpy()))
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


def test_a_joint_density_is_a_marginal_times_a_conditional(mixture, x):
    given, rest = [3, 1], [0, 2]
    marginal = mixture.marginal(given)
    for row in x[:5]:
        conditional = mixture.condition(given, row[given])
        product = marginal.log_prob(row[given]) + conditional.log_prob(row[rest])
        torch.testing.assert_close(product, mixture.log_prob(row), **EXACTLY)


def test_a_marginal_is_the_integral_of_the_joint_density(fitted, blobs):
    flat = fitted.as_module().marginal([0, 2])
    span = float(np.abs(blobs).max()) * 3
    grid = torch.linspace(-span, span, 4001, dtype=torch.float64)
    at = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)
    pairs = torch.stack(torch.meshgrid(at, grid, indexing="ij"), -1)
    integral = torch.trapezoid(flat.log_prob(pairs).exp(), grid, dim=1)
    torch.testing.assert_close(flat.marginal([0]).log_prob(at[:, None]).exp(), integral)


def test_a_conditional_is_the_normalised_slice_of_the_joint_density(fitted, blobs):
    flat = fitted.as_module().marginal([0, 2])
    span = float(np.abs(blobs).max()) * 3
    grid = torch.linspace(-span, span, 4001, dtype=torch.float64)
    slices = torch.stack([torch.full_like(grid, 0.5), grid], -1)
    joint = flat.log_prob(slices).exp()
    expected = joint / torch.trapezoid(joint, grid)
    found = flat.condition([0], torch.tensor([0.5])).log_prob(grid[:, None]).exp()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


def test_one_gaussian_is_conditioned_by_the_textbook(blobs):
    mixture = GaussianMixture(1).fit(blobs).as_module()
    mean, sigma = mixture.means[0], mixture.covariance_matrices()[0]
    a, b, value = [0, 1], [2, 3], torch.tensor([1.0, -2.0], dtype=torch.float64)
    gain = sigma[a][:, b] @ torch.linalg.inv(sigma[b][:, b])
    found = mixture.condition(b, value)
    torch.testing.assert_close(found.means[0], mean[a] + gain @ (value - mean[b]), **EXACTLY)
    expected = sigma[a][:, a] - gain @ sigma[b][:, a]
    torch.testing.assert_close(found.covariance_matrices()[0], expected, **EXACTLY)


def test_marginals_of_marginals_are_marginals_in_the_order_asked(mixture, x):
    twice = mixture.marginal([3, 0, 2]).marginal([2, 0])
    at = x[:, [2, 3]]
    torch.testing.assert_close(twice.log_prob(at), mixture.marginal([2, 3]).log_prob(at), **EXACTLY)


def test_low_rank_stays_low_rank_under_conditioning():
    wide = 300
    chol = torch.rand(1, 2, wide, 4, dtype=torch.float64) + 0.1
    weights, means = torch.full((1, 2), 0.5), torch.zeros(1, 2, wide)
    parameters = Parameters(weights.double(), means.double(), chol)
    mixture = Mixture(parameters, covariance_of("low_rank", 3))
    found = mixture.condition(range(200), torch.zeros(200))
    assert found.precisions_cholesky.shape == (2, 100, 4)
    assert mixture.marginal([5]).precisions_cholesky.shape == (2, 1, 4)


@pytest.mark.parametrize(
    ("dims", "values", "message"),
    [
        ([0, 0], [1.0, 1.0], r"dims=\[0, 0\], expected 1 to 3 different features out of 0 to 3"),
        ([4], [1.0], r"dims=\[4\], expected"),
        ([0, 1, 2, 3], [1.0] * 4, "expected 1 to 3 different"),
        ([], [], "expected 1 to 3 different"),
        ([0, 1], [1.0], "expected 2 finite numbers"),
        ([0], [float("nan")], "expected 1 finite numbers"),
    ],
)
def test_wrong_features_and_values_are_refused_in_one_line(mixture, dims, values, message):
    with pytest.raises(ValueError, match=message) as caught:
        mixture.condition(dims, torch.tensor(values))
    assert "\n" not in str(caught.value)


def test_several_runs_are_refused(mixture):
    parameters = mixture.as_parameters()
    both = parameters.select(torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="parameters hold 2 runs, expected one"):
        Mixture(both, mixture.covariance)
