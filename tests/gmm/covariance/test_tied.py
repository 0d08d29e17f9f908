import numpy as np
import torch

from gmm.covariance import COVARIANCES

TIED = COVARIANCES["tied"]


def test_one_symmetric_matrix_is_counted_whatever_the_number_of_components():
    assert (TIED.shape(7, 4), TIED.inner_shape(7, 4)) == ((4, 4), (1, 4, 4))
    assert TIED.n_parameters(7, 4) == TIED.n_parameters(1, 4) == 10
    assert [len(piece) for piece in TIED.monomials(torch.ones(4, 2))] == [4]


def test_the_matrix_is_the_mean_of_those_of_the_components_by_their_shares():
    source = torch.Generator().manual_seed(0)
    x = torch.randn(3, 50, dtype=torch.float64, generator=source)
    resp = torch.rand(1, 2, 50, dtype=torch.float64, generator=source)
    resp = resp / resp.sum(1, keepdim=True)
    counts = resp.sum(-1)
    means = resp @ x.T / counts[..., None]
    tied = TIED.estimate(counts, means, TIED.second_moments(x, resp), 0.0)[0, 0]
    each = [np.cov(x.numpy(), aweights=share.numpy(), ddof=0) for share in resp[0]]
    expected = np.average(each, axis=0, weights=counts[0])
    np.testing.assert_allclose(tied, expected, rtol=1e-12, atol=1e-14)
