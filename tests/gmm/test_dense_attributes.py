import numpy as np

from gmm.estimator import GaussianMixture


def test_matrices_are_made_when_asked_for_and_not_kept(blobs):
    mixture = GaussianMixture(2, covariance_type="low_rank", rank=2, random_state=0)
    assert not hasattr(mixture, "covariances_")
    mixture.fit(blobs)
    assert mixture.loadings_.shape == (2, 4, 2)
    noise = mixture.noise_variances_[..., None] * np.eye(4)
    expected = mixture.loadings_ @ mixture.loadings_.mT + noise
    np.testing.assert_allclose(mixture.covariances_, expected, rtol=1e-8)
    np.testing.assert_allclose(mixture.precisions_ @ expected, [np.eye(4)] * 2, atol=1e-8)
    upper = mixture.precisions_cholesky_
    np.testing.assert_allclose(upper @ upper.mT, mixture.precisions_, atol=1e-10)
    assert not {"covariances_", "precisions_", "precisions_cholesky_"} & set(vars(mixture))


def test_another_covariance_type_leaves_no_attribute_behind(blobs):
    mixture = GaussianMixture(2, covariance_type="low_rank", rank=2, random_state=0).fit(blobs)
    mixture.set_params(covariance_type="diag").fit(blobs)
    assert mixture.covariances_.shape == (2, 4)
    assert not hasattr(mixture, "loadings_")
    mixture.set_params(covariance_type="low_rank").fit(blobs)
    assert mixture.covariances_.shape == (2, 4, 4)
