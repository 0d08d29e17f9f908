import numpy as np
import pytest
import torch

from gmm.estimator import GaussianMixture

EXACTLY = {"rtol": 1e-9, "atol": 1e-10}
DIMS = [3, 1]


@pytest.fixture
def mixture(fitted_to_blobs):
    return fitted_to_blobs.as_module()


@pytest.fixture
def x(blobs):
    return torch.from_numpy(blobs[::15])


@pytest.fixture
def values(x):
    """Values of two features, some of which are not known."""
    given = x[:, DIMS].clone()
    given[1, 0] = given[2, 1] = given[3] = float("nan")
    return given


def test_every_row_is_conditioned_as_if_alone(mixture, values):
    together = mixture.condition_rows(DIMS, values)
    for index, row in enumerate(values):
        known = [position for position in range(2) if not row[position].isnan()]
        dims = [DIMS[position] for position in known]
        if known:
            rest = [dim for dim in range(4) if dim not in dims]
            alone = mixture.condition(dims, row[known]).marginal([rest.index(0), rest.index(2)])
        else:
            alone = mixture.marginal([0, 2])
        torch.testing.assert_close(together.weights[index], alone.weights, **EXACTLY)
        torch.testing.assert_close(together.means[index], alone.means, **EXACTLY)
        torch.testing.assert_close(
            together.covariances[index], alone.covariance_matrices(), **EXACTLY
        )


def test_a_joint_density_is_a_marginal_times_a_conditional(mixture, x):
    conditional = mixture.condition_rows(DIMS, x[:, DIMS]).log_prob(x[:, [0, 2]])
    product = mixture.marginal(DIMS).log_prob(x[:, DIMS]) + conditional
    torch.testing.assert_close(product, mixture.log_prob(x), **EXACTLY)


def test_mean_and_covariance_are_integrals_over_the_target(fitted_to_blobs, blobs):
    flat = fitted_to_blobs.as_module().marginal([0, 2])
    given = torch.tensor([[-1.0], [0.5], [2.0]], dtype=torch.float64)
    span = float(np.abs(blobs).max()) * 3
    grid = torch.linspace(-span, span, 20001, dtype=torch.float64)
    result = flat.condition_rows([0], given)
    for index, value in enumerate(given[:, 0]):
        density = flat.log_prob(torch.stack([value.expand_as(grid), grid], 1)).exp()
        density = density / torch.trapezoid(density, grid)
        mean = torch.trapezoid(density * grid, grid)
        variance = torch.trapezoid(density * (grid - mean).square(), grid)
        torch.testing.assert_close(result.mean[index, 0], mean, rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(result.covariance[index, 0, 0], variance, rtol=1e-6, atol=1e-8)


def test_regression_finds_a_curve():
    random = np.random.default_rng(0)
    angle = random.uniform(0, 6.28, 2000)
    x = np.stack([angle, np.sin(angle) + 0.05 * random.normal(size=2000)], 1)
    mixture = GaussianMixture(12, random_state=0).fit(x).as_module()
    at = torch.linspace(0.3, 6, 50, dtype=torch.float64)[:, None]
    predicted = mixture.condition_rows([0], at).mean
    assert (predicted - at.sin()).abs().max() < 0.15


def test_drawn_targets_have_the_moments_of_the_conditional(mixture, values):
    conditional = mixture.condition_rows(DIMS, values[:5])
    drawn = conditional.sample(20000, torch.Generator().manual_seed(0))
    assert drawn.shape == (20000, 5, 2)
    error = conditional.covariance.diagonal(dim1=1, dim2=2).sqrt() / 20000**0.5
    assert ((drawn.mean(0) - conditional.mean).abs() < 5 * error).all()
    for row in range(5):
        spread = torch.from_numpy(np.cov(drawn[:, row].T.numpy()))
        torch.testing.assert_close(spread, conditional.covariance[row], rtol=0.1, atol=0.1)


def test_predictions_are_differentiable_where_values_are_known(mixture, values):
    given = values.requires_grad_()
    mixture.condition_rows(DIMS, given).mean.sum().backward()
    assert given.grad is not None
    assert (given.grad[values.isnan()] == 0).all()
    assert given.grad.isfinite().all()


def test_blocks_of_rows_change_nothing(mixture, values, monkeypatch):
    expected = mixture.condition_rows(DIMS, values)
    monkeypatch.setattr("gmm.em.conditionals.BLOCK_NUMBERS", 1)
    result = mixture.condition_rows(DIMS, values)
    torch.testing.assert_close(result.means, expected.means, **EXACTLY)
    torch.testing.assert_close(result.covariances, expected.covariances, **EXACTLY)


@pytest.mark.parametrize(
    ("dims", "values", "message"),
    [
        ([0, 1], [1.0, 2.0], r"values has shape \(2,\), expected \(n, 2\)"),
        ([0, 1], [[1.0]], r"values has shape \(1, 1\), expected \(n, 2\)"),
        ([0], [[float("inf")]], "finite numbers or NaN"),
        ([0, 0], [[1.0, 2.0]], "expected 1 to 3 different features"),
    ],
)
def test_wrong_features_and_values_are_refused_in_one_line(mixture, dims, values, message):
    with pytest.raises(ValueError, match=message) as caught:
        mixture.condition_rows(dims, torch.tensor(values))
    assert "\n" not in str(caught.value)
