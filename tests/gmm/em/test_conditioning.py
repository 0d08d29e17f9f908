import numpy as np
import pytest
import torch

from gmm.covariance import covariance_of
from gmm.em.parameters import Parameters
from gmm.estimator import GaussianMixture
from gmm.mixture import Mixture

EXACTLY = {"rtol": 0, "atol": 1e-10}


@pytest.fixture
def mixture(fitted_to_blobs):
    return fitted_to_blobs.as_module()


@pytest.fixture
def x(blobs):
    return torch.from_numpy(blobs[::10])


def test_a_joint_density_is_a_marginal_times_a_conditional(mixture, x):
    given, rest = [3, 1], [0, 2]
    marginal = mixture.marginal(given)
    for row in x[:5]:
        conditional = mixture.condition(given, row[given])
        product = marginal.log_prob(row[given]) + conditional.log_prob(row[rest])
        torch.testing.assert_close(product, mixture.log_prob(row), **EXACTLY)


def test_a_marginal_is_the_integral_of_the_joint_density(fitted_to_blobs, blobs):
    flat = fitted_to_blobs.as_module().marginal([0, 2])
    span = float(np.abs(blobs).max()) * 3
    grid = torch.linspace(-span, span, 4001, dtype=torch.float64)
    at = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)
    pairs = torch.stack(torch.meshgrid(at, grid, indexing="ij"), -1)
    integral = torch.trapezoid(flat.log_prob(pairs).exp(), grid, dim=1)
    torch.testing.assert_close(flat.marginal([0]).log_prob(at[:, None]).exp(), integral)


def test_a_conditional_is_the_normalised_slice_of_the_joint_density(fitted_to_blobs, blobs):
    flat = fitted_to_blobs.as_module().marginal([0, 2])
    span = float(np.abs(blobs).max()) * 3
    grid = torch.linspace(-span, span, 4001, dtype=torch.float64)
    slices = torch.stack([torch.full_like(grid, 0.5), grid], -1)
    joint = flat.log_prob(slices).exp()
    expected = joint / torch.trapezoid(joint, grid)
    result = flat.condition([0], torch.tensor([0.5])).log_prob(grid[:, None]).exp()
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=1e-9)


def test_one_gaussian_is_conditioned_by_the_textbook(blobs):
    mixture = GaussianMixture(1).fit(blobs).as_module()
    mean, sigma = mixture.means[0], mixture.covariance_matrices()[0]
    a, b, value = [0, 1], [2, 3], torch.tensor([1.0, -2.0], dtype=torch.float64)
    gain = sigma[a][:, b] @ torch.linalg.inv(sigma[b][:, b])
    result = mixture.condition(b, value)
    torch.testing.assert_close(result.means[0], mean[a] + gain @ (value - mean[b]), **EXACTLY)
    expected = sigma[a][:, a] - gain @ sigma[b][:, a]
    torch.testing.assert_close(result.covariance_matrices()[0], expected, **EXACTLY)


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
    result = mixture.condition(range(200), torch.zeros(200))
    assert result.precisions_cholesky.shape == (2, 100, 4)
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
