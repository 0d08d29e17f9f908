import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture as BayesianReference
from sklearn.mixture import GaussianMixture as Reference
from sklearn.utils.estimator_checks import parametrize_with_checks

from gmm.bayesian import BayesianGaussianMixture
from gmm.estimator import GaussianMixture

ATTRIBUTES = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")


@parametrize_with_checks([GaussianMixture(max_iter=20)])
def test_scikit_learn_accepts_it_as_an_estimator(estimator, check):
    check(estimator)


@pytest.fixture
def pair(covariance_type, blobs):
    """Ours and scikit-learn's, fitted from the same parameters."""
    first = Reference(3, covariance_type=covariance_type, max_iter=1, random_state=0)
    with pytest.warns(ConvergenceWarning):
        first.fit(blobs)
    settings = {
        "covariance_type": covariance_type,
        "tol": 1e-5,
        "max_iter": 300,
        "weights_init": first.weights_,
        "means_init": first.means_,
        "precisions_init": first.precisions_,
    }
    return GaussianMixture(3, **settings).fit(blobs), Reference(3, **settings).fit(blobs)


def test_at_equal_init_bound_iterations_and_attributes_are_scikit_learns(pair):
    ours, reference = pair
    assert abs(ours.lower_bound_ - reference.lower_bound_) < 1e-9
    assert ours.n_iter_ == reference.n_iter_
    assert ours.converged_ == reference.converged_
    np.testing.assert_allclose(ours.lower_bounds_, reference.lower_bounds_, atol=1e-9)
    for name in ATTRIBUTES:
        found, expected = getattr(ours, name), getattr(reference, name)
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8, err_msg=name)


def test_at_equal_init_answers_are_scikit_learns(pair, blobs):
    ours, reference = pair
    np.testing.assert_allclose(ours.score_samples(blobs), reference.score_samples(blobs), atol=1e-7)
    np.testing.assert_allclose(ours.predict_proba(blobs), reference.predict_proba(blobs), atol=1e-7)
    assert (ours.predict(blobs) == reference.predict(blobs)).all()
    assert ours.score(blobs) == pytest.approx(reference.score(blobs), abs=1e-9)
    assert ours.bic(blobs) == pytest.approx(reference.bic(blobs), abs=1e-6)
    assert ours.aic(blobs) == pytest.approx(reference.aic(blobs), abs=1e-6)


def test_the_parameters_are_scikit_learns_and_some_more():
    ours, reference = GaussianMixture().get_params(), Reference().get_params()
    fixed = {"fixed_weights", "fixed_means", "fixed_covariances"}
    assert set(ours) - set(reference) == {"device", "dtype", "missing", "rank"} | fixed
    assert all(ours[name] == value for name, value in reference.items())
    GaussianMixture(**Reference(2, verbose=1, verbose_interval=3).get_params())
    expected = BayesianReference().get_params()
    assert expected == {name: BayesianGaussianMixture().get_params()[name] for name in expected}


def test_the_same_seed_gives_the_same_fit_and_more_restarts_no_worse_one(blobs):
    settings = {"init_params": "random", "random_state": 3, "max_iter": 500}
    once, again = (GaussianMixture(3, **settings).fit(blobs) for _ in range(2))
    assert (once.means_ == again.means_).all()
    assert GaussianMixture(3, n_init=5, **settings).fit(blobs).lower_bound_ >= once.lower_bound_


def test_tensors_in_tensors_out_and_arrays_in_arrays_out(covariance_type, blobs):
    settings = {"covariance_type": covariance_type, "random_state": 0}
    from_array = GaussianMixture(2, **settings).fit(blobs)
    from_tensor = GaussianMixture(2, **settings).fit(torch.from_numpy(blobs))
    assert isinstance(from_array.predict_proba(blobs), np.ndarray)
    assert isinstance(from_array.score_samples(torch.from_numpy(blobs)), torch.Tensor)
    for name in ATTRIBUTES:
        assert isinstance(getattr(from_tensor, name), torch.Tensor)
        np.testing.assert_array_equal(getattr(from_tensor, name), getattr(from_array, name))
    assert isinstance(from_tensor.sample(3)[0], torch.Tensor)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_float32_in_float32_out_near_float64(covariance_type, blobs, init_params):
    settings = {"covariance_type": covariance_type, "init_params": init_params, "random_state": 0}
    settings |= {"reg_covar": 1e-3, "max_iter": 400}
    single = GaussianMixture(3, **settings).fit(blobs.astype(np.float32))
    double = GaussianMixture(3, **settings).fit(blobs)
    assert {getattr(single, name).dtype for name in ATTRIBUTES} == {np.dtype(np.float32)}
    assert single.score_samples(blobs.astype(np.float32)).dtype == np.float32
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, abs=1e-3)


def test_dtype_overrides_that_of_the_samples(blobs):
    assert GaussianMixture(2, dtype="float32").fit(blobs).means_.dtype == np.float32


def test_scores_are_differentiable(blobs):
    mixture = GaussianMixture(1).fit(blobs)
    x = torch.from_numpy(blobs[:5]).requires_grad_()
    mixture.score_samples(x).sum().backward()
    expected = -(blobs[:5] - mixture.means_[0]) @ mixture.precisions_[0]
    np.testing.assert_allclose(x.grad, expected, atol=1e-9)


def test_a_partial_init_replaces_only_what_it_names(blobs):
    means = blobs[:2]
    mixture = GaussianMixture(2, means_init=means, max_iter=0, random_state=0).fit(blobs)
    plain = GaussianMixture(2, max_iter=0, random_state=0).fit(blobs)
    np.testing.assert_allclose(mixture.means_, means)
    np.testing.assert_allclose(mixture.covariances_, plain.covariances_)
    assert mixture.n_iter_ == 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_warm_start_goes_on_where_the_last_fit_stopped(blobs):
    settings = {"tol": 1e-6, "random_state": 0}
    warm = GaussianMixture(3, max_iter=1, warm_start=True, **settings)
    bounds = []
    while not bounds or not warm.converged_:
        bounds.append(warm.fit(blobs).lower_bound_)
    cold = GaussianMixture(3, max_iter=500, **settings).fit(blobs)
    np.testing.assert_allclose(bounds, cold.lower_bounds_, atol=1e-12)
    np.testing.assert_allclose(warm.means_, cold.means_)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_components": 0}, "n_components=0, expected an integer >= 1"),
        ({"n_components": 2.5}, "n_components=2.5"),
        ({"tol": -1.0}, "tol=-1.0, expected a number >= 0"),
        ({"reg_covar": float("nan")}, "reg_covar=nan"),
        ({"covariance_type": "round"}, "covariance_type='round', expected one of full"),
        ({"init_params": "guess"}, "init_params='guess', expected one of kmeans"),
        ({"n_components": 451}, "n_components=451 needs .* got n_samples=450"),
        ({"weights_init": [0.5, 0.6]}, "weights_init .* sum 1.1"),
        ({"means_init": [[0.0], [1.0]]}, r"means_init has shape \(2, 1\), expected \(2, 4\)"),
        ({"precisions_init": np.zeros((2, 4, 4))}, "precisions_init is not symmetric"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_its_value(blobs, settings, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**{"n_components": 2, **settings}).fit(blobs)


def test_identical_samples_without_a_regulariser_are_an_error_that_names_it():
    with pytest.raises(ValueError, match="reg_covar"):
        GaussianMixture(2, reg_covar=0.0, n_init=3).fit(np.ones((30, 2)))


def test_verbose_prints_every_restart_and_changes_nothing(blobs, capsys):
    settings = {"n_init": 2, "init_params": "random", "random_state": 0, "max_iter": 300}
    quiet = GaussianMixture(3, **settings).fit(blobs)
    assert capsys.readouterr().out == ""
    loud = GaussianMixture(3, verbose=2, verbose_interval=5, **settings).fit(blobs)
    lines = capsys.readouterr().out.splitlines()
    assert loud.lower_bounds_ == quiet.lower_bounds_
    ends = [line for line in lines if "converged after" in line]
    expected = [f"after {n} iterations" for n in quiet.diagnostics_["n_iter"]]
    assert all(words in line for line, words in zip(ends, expected, strict=True))
    assert any(f"{quiet.lower_bounds_[4]:.5f}" in line for line in lines if "Iteration 5\t" in line)
