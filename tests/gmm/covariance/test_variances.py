import numpy as np
import pytest
import torch

from gmm.covariance import COVARIANCES

TYPES = ("diag", "spherical")


@pytest.mark.parametrize("name", TYPES)
def test_the_regulariser_is_added_to_every_variance(name):
    covariance = COVARIANCES[name]
    x = torch.randn(3, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    resp = torch.rand(2, 2, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    counts = resp.sum(-1)
    means = resp @ x.T / counts[..., None]
    second = covariance.second_moments(x, resp)
    plain, regular = (covariance.estimate(counts, means, second, reg) for reg in (0.0, 0.25))
    torch.testing.assert_close(regular, plain + 0.25)
    weights = resp[1, 0].numpy()
    expected = np.average((x.numpy() - means[1, 0, :, None].numpy()) ** 2, axis=1, weights=weights)
    if name == "spherical":
        expected = expected.mean(keepdims=True)
    np.testing.assert_allclose(plain[1, 0], expected, rtol=1e-10)


@pytest.mark.parametrize("name", TYPES)
def test_equal_samples_far_from_the_reference_have_no_variance(name):
    covariance = COVARIANCES[name]
    x = torch.full((3, 30), 1e3 / 3, dtype=torch.float64)
    resp = torch.ones(1, 1, 30, dtype=torch.float64)
    means = resp @ x.T / 30
    second = covariance.second_moments(x, resp)
    assert (covariance.estimate(resp.sum(-1), means, second, 0.0) == 0).all()


@pytest.mark.parametrize("name", TYPES)
def test_what_is_given_of_other_features_moves_no_mean(name):
    covariance = COVARIANCES[name]
    chol = torch.full((1, *covariance.inner_shape(2, 4)), 0.5, dtype=torch.float64)
    kept, given = torch.tensor([1, 2]), torch.tensor([0, 3])
    deviations = torch.ones(1, 2, 2, 5, dtype=torch.float64)
    shift, factor = covariance.conditional(chol, kept, given, deviations)
    assert (shift == 0).all()
    assert torch.equal(factor, covariance.marginal(chol, kept))
