import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.mixture import BayesianGaussianMixture as BayesianReference
from sklearn.mixture import GaussianMixture as Reference

from gmm.bayesian import BayesianGaussianMixture
from gmm.estimator import GaussianMixture
from gmm.interchange import from_sklearn, to_sklearn


@pytest.fixture
def theirs(covariance_type, blobs):
    return Reference(3, covariance_type=covariance_type, random_state=1, tol=1e-4).fit(blobs)


def test_a_mixture_of_scikit_learn_scores_the_same_here(theirs, blobs):
    ours = from_sklearn(theirs)
    np.testing.assert_allclose(ours.score_samples(blobs), theirs.score_samples(blobs), rtol=1e-12)
    np.testing.assert_allclose(ours.predict_proba(blobs), theirs.predict_proba(blobs), atol=1e-12)
    assert ours.bic(blobs) == pytest.approx(theirs.bic(blobs), rel=1e-12)
    for name in ("n_components", "covariance_type", "tol", "random_state"):
        assert getattr(ours, name) == getattr(theirs, name)
    for name in ("converged_", "n_iter_", "lower_bound_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_a_mixture_from_here_scores_the_same_in_scikit_learn(covariance_type, blobs, kind):
    ours = GaussianMixture(3, covariance_type=covariance_type, random_state=1).fit(kind(blobs))
    theirs = to_sklearn(ours)
    assert type(theirs) is Reference
    expected = np.asarray(ours.score_samples(kind(blobs)))
    np.testing.assert_allclose(theirs.score_samples(blobs), expected, rtol=1e-12)
    np.testing.assert_array_equal(theirs.predict(blobs), np.asarray(ours.predict(kind(blobs))))
    assert theirs.sample(5)[0].shape == (5, 4)


@pytest.mark.parametrize("prior", ["dirichlet_process", "dirichlet_distribution"])
def test_a_bayesian_mixture_scores_the_same_in_both(covariance_type, prior, blobs):
    theirs = BayesianReference(
        n_components=3,
        covariance_type=covariance_type,
        weight_concentration_prior_type=prior,
        random_state=1,
        max_iter=500,
    ).fit(blobs)
    ours = from_sklearn(theirs)
    assert type(ours) is BayesianGaussianMixture
    again = to_sklearn(ours)
    expected = theirs.score_samples(blobs)
    np.testing.assert_allclose(ours.score_samples(blobs), expected, rtol=1e-12)
    np.testing.assert_array_equal(again.score_samples(blobs), expected)
    np.testing.assert_allclose(ours.predict_proba(blobs), theirs.predict_proba(blobs), atol=1e-12)


def test_there_and_back_is_the_same_mixture(theirs):
    again = to_sklearn(from_sklearn(theirs))
    assert again.get_params() == theirs.get_params()
    assert vars(again).keys() == vars(theirs).keys()
    for name, value in vars(theirs).items():
        np.testing.assert_array_equal(getattr(again, name), value)


def test_others_and_unfitted_ones_are_refused(blobs):
    with pytest.raises(ValueError, match="got a KMeans, expected a fitted GaussianMixture"):
        from_sklearn(KMeans(2))
    with pytest.raises(ValueError, match="has not been fitted; call fit first"):
        from_sklearn(Reference())
    with pytest.raises(ValueError, match="has not been fitted; call fit first"):
        to_sklearn(GaussianMixture())
    with pytest.raises(ValueError, match="no counterpart in scikit-learn"):
        to_sklearn(KMeans(2).fit(blobs))
    with pytest.raises(ValueError, match="no counterpart in scikit-learn"):
        to_sklearn(GaussianMixture(2, covariance_type="low_rank", rank=1).fit(blobs))


def test_scikit_learn_can_fit_again_what_started_and_was_regularised_in_our_words(
    covariance_type, blobs
):
    x = blobs * 1e-6  # where auto is not 1e-6
    settings = {"covariance_type": covariance_type, "init_params": "scaled_kmeans", "tol": 1e-6}
    ours = GaussianMixture(3, reg_covar="auto", random_state=0, **settings).fit(x)
    theirs = to_sklearn(ours)
    assert theirs.reg_covar == ours.reg_covar_ == pytest.approx(1e-3 * x.var(0).mean())
    theirs.fit(x)
    assert theirs.lower_bound_ == pytest.approx(ours.lower_bound_, abs=1e-4)
    assert theirs.n_iter_ < ours.n_iter_


def test_a_bayesian_mixture_moves_with_the_number_of_its_fit_and_a_warning_of_its_start(blobs):
    settings = {"init_params": "scaled_kmeans", "reg_covar": "auto", "max_iter": 500}
    ours = BayesianGaussianMixture(2, random_state=0, **settings).fit(blobs)
    with pytest.warns(UserWarning, match="no init_params='scaled_kmeans'.* from .*'kmeans'"):
        theirs = to_sklearn(ours)
    assert theirs.reg_covar == ours.reg_covar_ == 1e-6
    np.testing.assert_allclose(theirs.score_samples(blobs), ours.score_samples(blobs), rtol=1e-9)
    assert theirs.fit(blobs).converged_


def test_start_values_that_are_tensors_are_arrays_in_scikit_learn(blobs):
    ours = GaussianMixture(2, means_init=torch.from_numpy(blobs[:2]), random_state=0).fit(blobs)
    np.testing.assert_array_equal(to_sklearn(ours).fit(blobs).means_init, blobs[:2])
