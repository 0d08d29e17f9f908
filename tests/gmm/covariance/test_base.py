import pytest
import torch
from sklearn.mixture import GaussianMixture as Reference

from gmm.covariance import COVARIANCES

K, D = 3, 4


@pytest.fixture
def factors(covariance_type):
    """Random factors of one run, in their inner shape."""
    covariance = COVARIANCES[covariance_type]
    shape = covariance.inner_shape(K, D)
    source = torch.Generator().manual_seed(1)
    values = torch.rand(1, *shape, dtype=torch.float64, generator=source) + 0.5
    return covariance, values.triu() if shape[-1] == shape[-2] else values


def test_shapes_and_parameter_counts_are_those_of_scikit_learn(covariance_type, blobs):
    reference = Reference(K, covariance_type=covariance_type, random_state=0).fit(blobs)
    covariance = COVARIANCES[covariance_type]
    assert covariance.shape(K, D) == reference.covariances_.shape
    assert covariance.n_parameters(K, D) + K * D + K - 1 == reference._n_parameters()


def test_covariances_invert_precisions(factors):
    covariance, chol = factors
    dense = covariance.dense(chol, K, D)
    vectors = torch.randn(1, K, D, dtype=torch.float64)
    solved = torch.linalg.solve(dense, vectors[..., None])[..., 0]
    torch.testing.assert_close(covariance.precision_times(chol, vectors), solved)


def test_factorising_undoes_covariances_and_precisions(factors):
    covariance, chol = factors
    from_covariances, valid = covariance.factorise(covariance.covariances(chol))
    from_precisions, also_valid = covariance.factorise_precisions(covariance.precisions(chol))
    assert valid.all()
    assert also_valid.all()
    torch.testing.assert_close(from_covariances, chol)
    torch.testing.assert_close(from_precisions, chol)


def test_the_log_determinant_is_half_that_of_the_precision(factors):
    covariance, chol = factors
    expected = -torch.linalg.slogdet(covariance.dense(chol, K, D)).logabsdet / 2
    result = covariance.log_determinant(chol, D).expand(1, K)
    torch.testing.assert_close(result, expected)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"], indirect=True)
@pytest.mark.parametrize("n_features", [1, 2, 4, 5])
def test_multiplied_out_and_residual_distances_agree(covariance_type, n_features):
    covariance = COVARIANCES[covariance_type]
    source = torch.Generator().manual_seed(1)
    shape = (1, *covariance.inner_shape(K, n_features))
    chol = torch.rand(shape, dtype=torch.float64, generator=source) + 0.5
    x = torch.randn(n_features, 10, dtype=torch.float64, generator=source)
    chol = chol.triu() if covariance_type == "full" else chol
    multiplied = (
        covariance.quadratic_coefficients(chol) @ torch.cat(covariance.monomials(x))[n_features:]
    )
    origin = torch.zeros(1, K, n_features, dtype=torch.float64)
    residual = covariance.distances_from(chol, origin, 10)(x)
    torch.testing.assert_close(multiplied.expand(1, K, 10), residual)


def test_coloured_noise_has_unit_distance_per_feature(factors):
    covariance, chol = factors
    noise = torch.randn(1, K, D, 7, dtype=torch.float64)
    coloured = covariance.colour(chol, noise)
    distances = covariance.distances_from(chol, torch.zeros(1, K, D, dtype=torch.float64), 7)
    for k in range(K):
        expected = noise[:, k].square().sum(-2)
        torch.testing.assert_close(distances(coloured[0, k])[:, k], expected)


def test_one_bad_run_is_marked_and_leaves_its_sibling_alone(covariance_type):
    covariance = COVARIANCES[covariance_type]
    good = covariance.covariances(
        torch.ones(1, *covariance.inner_shape(K, D)).triu()
        if covariance_type in ("full", "tied")
        else torch.ones(1, *covariance.inner_shape(K, D))
    )
    chol, valid = covariance.factorise(torch.cat([good, -good, good * torch.nan]))
    assert valid.tolist() == [True, False, False]
    torch.testing.assert_close(chol[:1], covariance.factorise(good)[0])


@pytest.mark.parametrize("n_samples", [1, 2 * D])
def test_distances_of_deviations_are_those_from_means(factors, n_samples):
    covariance, chol = factors
    x = torch.randn(D, n_samples, dtype=torch.float64)
    means = torch.randn(1, K, D, dtype=torch.float64)
    expected = covariance.distances_from(chol, means, n_samples)(x)
    few = covariance.squared_distances(chol, x - means[..., None])
    torch.testing.assert_close(few, expected)
