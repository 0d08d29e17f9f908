import pytest
import torch

from gmm.covariance import COVARIANCES
from gmm.covariance.halves import invert_triangular
from gmm.covariance.matrices import ROWS_AT_ONCE, _places, pairs, unpack
from gmm.estimator import GaussianMixture

CPU = torch.device("cpu")


@pytest.mark.parametrize("n_features", [1, 2, 5, 8])
def test_every_product_of_two_features_is_there_once(n_features):
    rows, columns = pairs(n_features, CPU)
    products = {frozenset(pair) for pair in zip(rows.tolist(), columns.tolist(), strict=True)}
    assert len(products) == len(rows) == n_features * (n_features + 1) // 2


@pytest.mark.parametrize("n_features", [1, 4])
def test_packed_products_are_unpacked_to_the_matrix(n_features):
    source = torch.Generator().manual_seed(0)
    x = torch.randn(n_features, 1, dtype=torch.float64, generator=source)
    packed = COVARIANCES["full"].monomials(x)[0][n_features:].T[None]
    torch.testing.assert_close(unpack(packed, n_features)[0, 0], (x @ x.T).flatten())


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("d", [1, 4, 127, 128, 129, 300])
def test_a_triangle_times_its_inverse_is_one(upper, d):
    factor = torch.rand(2, d, d, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    factor = (factor.triu() if upper else factor.tril()) / d + torch.eye(d)
    inverse = invert_triangular(factor, upper=upper)
    torch.testing.assert_close(factor @ inverse, torch.eye(d).double().expand(2, d, d))
    assert torch.equal(inverse, inverse.triu() if upper else inverse.tril())


@pytest.mark.parametrize("name", ["full", "tied"])
def test_a_conditional_has_the_schur_complement_for_its_covariance(name):
    covariance, source = COVARIANCES[name], torch.Generator().manual_seed(2)
    chol = torch.rand(1, *covariance.inner_shape(1, 4), dtype=torch.float64, generator=source)
    chol = chol.triu() + torch.eye(4)
    kept, given = torch.tensor([0, 2]), torch.tensor([1, 3])
    sigma = covariance.dense(chol, 1, 4)[0, 0]
    deviations = torch.tensor([[1.0], [-2.0]], dtype=torch.float64)
    shift, factor = covariance.conditional(chol, kept, given, deviations[None, None])
    gain = sigma[kept][:, given] @ torch.linalg.inv(sigma[given][:, given])
    torch.testing.assert_close(shift[0, 0], gain @ deviations)
    expected = sigma[kept][:, kept] - gain @ sigma[given][:, kept]
    torch.testing.assert_close(covariance.covariances(factor)[0, 0], expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("d", "n_samples"), [(5, 1), (ROWS_AT_ONCE, 3), (200, 1), (200, 201)])
def test_few_samples_read_a_factor_in_parts_and_keep_the_digits_of_their_own(dtype, d, n_samples):
    source = torch.Generator().manual_seed(3)
    chol = (torch.rand(2, 3, d, d, generator=source) / d + torch.eye(d)).triu().to(dtype)
    deviations = torch.randn(2, 3, d, n_samples, dtype=torch.float64, generator=source)
    expected = (chol.double().mT @ deviations).square().sum(-2)
    found = COVARIANCES["full"].squared_distances(chol, deviations)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_gradients_pass_what_was_first_asked_for_in_inference_mode():
    mixture = GaussianMixture(2, random_state=0).fit(torch.randn(40, 3).double())
    pairs.cache_clear()
    _places.cache_clear()
    x = torch.randn(2000, 3).double()
    with torch.inference_mode():
        mixture.as_module()(x)
    mixture.as_module()(x.requires_grad_()).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert not any(index.is_inference() for index in (*pairs(3, x.device), _places(3, x.device)))
