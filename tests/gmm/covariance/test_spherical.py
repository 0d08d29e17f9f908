import numpy as np
import torch

from gmm.covariance import COVARIANCES

SPHERICAL = COVARIANCES["spherical"]


def test_one_variance_of_each_component_is_counted():
    assert (SPHERICAL.shape(3, 4), SPHERICAL.inner_shape(3, 4)) == ((3,), (3, 1))
    assert SPHERICAL.n_parameters(3, 4) == 3


def test_the_variance_is_the_mean_of_those_of_the_features():
    x = torch.randn(4, 60, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    resp = torch.ones(1, 1, 60, dtype=torch.float64)
    second = SPHERICAL.second_moments(x, resp)
    means = x.mean(1)[None, None]
    variance = SPHERICAL.estimate(resp.sum(-1), means, second, 0.0)
    np.testing.assert_allclose(float(variance), x.numpy().var(1).mean(), rtol=1e-12)


def test_fewer_features_have_the_same_variance():
    chol = torch.tensor([[[0.5], [2.0]]], dtype=torch.float64)
    assert torch.equal(SPHERICAL.marginal(chol, torch.tensor([1])), chol)
    assert float(SPHERICAL.log_determinant(chol, 3)[0, 1]) == 3 * np.log(2.0)
