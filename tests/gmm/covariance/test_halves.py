import pytest
import torch

from gmm.covariance.halves import factorise_lower, invert_triangular


def definite(n_features):
    generator = torch.Generator().manual_seed(n_features)
    x = torch.randn(2, 3, n_features, 2 * n_features, dtype=torch.float64, generator=generator)
    return x @ x.mT / (2 * n_features)


@pytest.mark.parametrize("n_features", [1, 5, 127, 128, 131, 300, 513])
def test_factors_are_lower_and_their_products_the_matrices(n_features):
    matrices = definite(n_features)
    lower, failed = factorise_lower(matrices)
    assert not failed.any()
    assert torch.equal(lower, lower.tril())
    assert (lower.diagonal(dim1=-2, dim2=-1) > 0).all()
    torch.testing.assert_close(lower @ lower.mT, matrices, rtol=1e-12, atol=1e-12)
    eye = torch.eye(n_features, dtype=torch.float64).expand_as(lower)
    torch.testing.assert_close(invert_triangular(lower, upper=False) @ lower, eye)


@pytest.mark.parametrize("place", [0, 100, 129, 255])
def test_a_matrix_that_is_not_definite_fails_alone(place):
    matrices = definite(256)
    expected, _ = factorise_lower(matrices)
    matrices[1, 2, place, place] = -1.0
    lower, failed = factorise_lower(matrices)
    assert failed[1, 2] > 0
    assert failed.count_nonzero() == 1
    assert torch.equal(lower[0], expected[0])
