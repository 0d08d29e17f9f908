import numpy as np
import torch

from gmm.covariance import COVARIANCES
from gmm.covariance.full import MOST_PACKED_FEATURES

K, D = 3, 4


def test_second_moments_are_the_same_packed_and_by_component():
    covariance, n_features = COVARIANCES["full"], 5
    x = torch.randn(n_features, 40, dtype=torch.float64)
    resp = torch.rand(2, K, 40, dtype=torch.float64)
    means, counts = torch.zeros(2, K, n_features, dtype=torch.float64), resp.sum(-1)
    both = [
        covariance.estimate(counts, means, covariance.second_moments(x, products, resp), 0.1)
        for products in (covariance.quadratics(x), None)
    ]
    torch.testing.assert_close(*both)


def test_wide_samples_are_not_packed():
    wide = torch.zeros(MOST_PACKED_FEATURES + 1, 2)
    assert COVARIANCES["full"].quadratics(wide[1:]) is not None
    assert COVARIANCES["full"].quadratics(wide) is None
    assert COVARIANCES["diag"].quadratics(wide) is not None


def test_the_m_step_covariance_is_a_weighted_sample_covariance():
    x = torch.randn(3, 50, dtype=torch.float64)
    weights = torch.rand(50, dtype=torch.float64)
    covariance, resp = COVARIANCES["full"], weights[None, None]
    means = (resp @ x.T) / weights.sum()
    second = covariance.second_moments(x, covariance.quadratics(x), resp)
    found = covariance.estimate(weights.sum()[None, None], means, second, 0.0)[0, 0]
    np.testing.assert_allclose(found, np.cov(x.numpy(), aweights=weights.numpy(), ddof=0))
