import numpy as np
import torch

from gmm.covariance import COVARIANCES

K = 3


def test_second_moments_are_the_same_packed_and_by_component():
    covariance, n_features = COVARIANCES["full"], 5
    x = torch.randn(n_features, 40, dtype=torch.float64)
    resp = torch.rand(2, K, 40, dtype=torch.float64)
    (monomials,) = covariance.monomials(x)
    packed = covariance.unpack(resp @ monomials[n_features:].T, n_features)
    both = [packed, covariance.second_moments(x, resp)]
    torch.testing.assert_close(*both)
    assert both[0].shape == (2, K, n_features**2)


def test_the_m_step_covariance_is_a_weighted_sample_covariance():
    x = torch.randn(3, 50, dtype=torch.float64)
    weights = torch.rand(50, dtype=torch.float64)
    covariance, resp = COVARIANCES["full"], weights[None, None]
    means = (resp @ x.T) / weights.sum()
    second = covariance.second_moments(x, resp)
    found = covariance.estimate(weights.sum()[None, None], means, second, 0.0)[0, 0]
    np.testing.assert_allclose(found, np.cov(x.numpy(), aweights=weights.numpy(), ddof=0))
