import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.mixture import BayesianGaussianMixture as Reference
from sklearn.utils.estimator_checks import parametrize_with_checks

from gmm import load, save
from gmm.bayesian import BayesianGaussianMixture
from gmm.em import initialization

ATTRIBUTES = (
    "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_",
    "mean_precision_", "degrees_of_freedom_", "weight_concentration_",
    "weight_concentration_prior_", "mean_precision_prior_", "mean_prior_",
    "degrees_of_freedom_prior_", "covariance_prior_",
)  # fmt: skip


class FromResponsibilities(BayesianGaussianMixture):
    """Ours, begun with the responsibilities in ``resp``, n × k."""

    resp: np.ndarray

    def _cold_start(self, samples, objective):
        resp = torch.from_numpy(self.resp.T.copy())[None]
        return initialization.from_responsibilities(samples, [resp], len(self.resp), objective)


class ReferenceFromResponsibilities(Reference):
    """scikit-learn's, likewise."""

    resp: np.ndarray

    def _initialize_parameters(self, X, random_state, **others):
        self._initialize(X, self.resp)


def mixture_from(kind, resp, **settings):
    mixture = kind(n_components=resp.shape[1], **settings)
    mixture.resp = resp
    return mixture


def random_responsibilities(n_samples, n_components, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(n_components), size=n_samples)


@pytest.fixture(params=["dirichlet_process", "dirichlet_distribution"])
def prior_type(request):
    return request.param


@parametrize_with_checks([BayesianGaussianMixture(max_iter=20)])
def test_scikit_learn_accepts_it_as_an_estimator(estimator, check):
    check(estimator)


def test_the_parameters_are_scikit_learns_and_three_more():
    ours, reference = BayesianGaussianMixture().get_params(), Reference().get_params()
    assert set(ours) - set(reference) == {"device", "dtype", "missing"}
    assert all(ours[name] == value for name, value in reference.items())


GIVEN_PRIOR = {
    "weight_concentration_prior": 0.02,
    "mean_precision_prior": 3.5,
    "mean_prior": [10.0, -1.0, 0.3, 2.0],
    "degrees_of_freedom_prior": 7.25,
}
COVARIANCE_PRIORS = {
    "full": np.diag([1.0, 2.0, 3.0, 4.0]) + 0.3,
    "tied": np.diag([1.0, 2.0, 3.0, 4.0]) + 0.3,
    "diag": [1.0, 0.2, 3.0, 4.0],
    "spherical": 0.7,
}


@pytest.mark.parametrize("prior", [{}, GIVEN_PRIOR], ids=["default prior", "given prior"])
def test_at_equal_init_everything_is_scikit_learns(covariance_type, prior_type, prior, blobs):
    resp = random_responsibilities(len(blobs), 5)
    settings = {
        "covariance_type": covariance_type,
        "weight_concentration_prior_type": prior_type,
        "tol": 1e-3,
        "max_iter": 1000,
        **prior,
    }
    if prior:
        settings["covariance_prior"] = COVARIANCE_PRIORS[covariance_type]
    ours = mixture_from(FromResponsibilities, resp, **settings).fit(blobs)
    reference = mixture_from(ReferenceFromResponsibilities, resp, **settings).fit(blobs)
    assert ours.n_iter_ == reference.n_iter_
    assert ours.converged_
    # scikit-learn's bounds are arrays of one if tied.
    np.testing.assert_allclose(ours.lower_bounds_, np.ravel(reference.lower_bounds_), atol=1e-9)
    assert abs(ours.lower_bound_ - np.ravel(reference.lower_bound_)[0]) < 1e-9
    for name in ATTRIBUTES:
        found, expected = getattr(ours, name), getattr(reference, name)
        assert np.shape(found) == np.shape(expected), name
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7, err_msg=name)
    np.testing.assert_allclose(ours.predict_proba(blobs), reference.predict_proba(blobs), atol=1e-7)
    np.testing.assert_allclose(ours.score_samples(blobs), reference.score_samples(blobs), atol=1e-7)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_many_features_are_scikit_learns_too(covariance_type):
    x = np.random.default_rng(0).normal(size=(300, 70)) + 3
    resp = random_responsibilities(300, 2)
    settings = {"covariance_type": covariance_type, "max_iter": 4}
    ours = mixture_from(FromResponsibilities, resp, **settings).fit(x)
    reference = mixture_from(ReferenceFromResponsibilities, resp, **settings).fit(x)
    np.testing.assert_allclose(ours.lower_bounds_, np.ravel(reference.lower_bounds_), rtol=1e-12)
    np.testing.assert_allclose(ours.covariances_, reference.covariances_, rtol=1e-7, atol=1e-9)


def lesson_blobs():
    """Two stretched clusters of 500 samples, and a round one of 250."""
    pair = make_blobs(n_samples=1000, centers=((4, -4), (0, 0)), random_state=42)[0]
    single = make_blobs(n_samples=250, centers=1, random_state=42)[0]
    return np.concatenate([pair @ [[0.374, 0.95], [0.732, 0.598]], single + np.array([6, -8])])


def test_of_ten_components_three_are_left_on_the_lessons_blobs(prior_type):
    mixture = BayesianGaussianMixture(
        10,
        n_init=4,
        max_iter=1000,
        weight_concentration_prior_type=prior_type,
        weight_concentration_prior=0.01,
        random_state=42,
    ).fit(lesson_blobs())
    weights = np.sort(mixture.weights_)[::-1]
    np.testing.assert_allclose(weights[:3], [0.4, 0.4, 0.2], atol=0.02)
    assert weights[3:].sum() < 0.01


def test_a_weight_counts_samples_and_0_leaves_one_out(covariance_type, prior_type, blobs):
    resp, repeats = random_responsibilities(len(blobs), 3), np.arange(len(blobs)) % 3
    settings = {
        "covariance_type": covariance_type,
        "weight_concentration_prior_type": prior_type,
        "tol": 0.1,
        "max_iter": 300,
    }
    weighted = mixture_from(FromResponsibilities, resp, **settings).fit(
        blobs, sample_weight=repeats
    )
    repeated = mixture_from(FromResponsibilities, resp.repeat(repeats, axis=0), **settings)
    repeated.fit(blobs.repeat(repeats, axis=0))
    assert weighted.n_iter_ == repeated.n_iter_
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, abs=1e-8)
    for name in ATTRIBUTES:
        found, expected = getattr(weighted, name), getattr(repeated, name)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(("scale", "offset"), [(1e-8, 0.0), (1e8, 0.0), (1.0, 1e8)])
def test_other_units_and_origins_give_the_same_clusters(covariance_type, blobs, scale, offset):
    resp = random_responsibilities(len(blobs), 3)
    settings = {"covariance_type": covariance_type, "tol": 0.1, "max_iter": 300, "reg_covar": 0.0}
    plain = mixture_from(FromResponsibilities, resp, **settings).fit(blobs)
    moved = mixture_from(FromResponsibilities, resp, **settings).fit(blobs * scale + offset)
    np.testing.assert_array_equal(moved.predict(blobs * scale + offset), plain.predict(blobs))


def test_tensors_in_tensors_out_and_arrays_in_arrays_out(covariance_type, prior_type, blobs):
    settings = {
        "covariance_type": covariance_type,
        "weight_concentration_prior_type": prior_type,
        "random_state": 0,
        "max_iter": 400,
    }
    from_array = BayesianGaussianMixture(2, **settings).fit(blobs)
    from_tensor = BayesianGaussianMixture(2, **settings).fit(torch.from_numpy(blobs))
    assert isinstance(from_tensor.mean_precision_, torch.Tensor)
    assert isinstance(from_array.mean_precision_, np.ndarray)
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(getattr(from_tensor, name), getattr(from_array, name), name)
    expected = from_array.predict_proba(blobs)
    np.testing.assert_array_equal(from_tensor.predict_proba(blobs), expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_float32_in_float32_out_near_float64(covariance_type, blobs):
    resp = random_responsibilities(len(blobs), 3)
    settings = {"covariance_type": covariance_type, "tol": 0.0, "max_iter": 25}
    single = mixture_from(FromResponsibilities, resp, **settings).fit(blobs.astype(np.float32))
    double = mixture_from(FromResponsibilities, resp, **settings).fit(blobs)
    assert single.means_.dtype == single.mean_precision_.dtype == np.float32
    assert single.score_samples(blobs.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.means_, double.means_, atol=1e-3)
    np.testing.assert_allclose(single.predict_proba(blobs), double.predict_proba(blobs), atol=1e-3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_warm_start_goes_on_where_the_last_fit_stopped(prior_type, blobs):
    settings = {
        "tol": 0.1,
        "random_state": 0,
        "weight_concentration_prior_type": prior_type,
    }
    warm = BayesianGaussianMixture(3, max_iter=1, warm_start=True, **settings)
    bounds = []
    while not bounds or not warm.converged_:
        bounds.append(warm.fit(blobs).lower_bound_)
    cold = BayesianGaussianMixture(3, max_iter=500, **settings).fit(blobs)
    np.testing.assert_allclose(bounds, cold.lower_bounds_, atol=1e-9)
    np.testing.assert_allclose(warm.means_, cold.means_)


def test_more_restarts_give_no_lesser_bound(blobs):
    settings = {"init_params": "random", "random_state": 3, "max_iter": 500}
    once, again = (BayesianGaussianMixture(4, **settings).fit(blobs) for _ in range(2))
    assert (once.means_ == again.means_).all()
    more = BayesianGaussianMixture(4, n_init=4, **settings).fit(blobs)
    assert more.lower_bound_ >= once.lower_bound_


def test_scores_are_differentiable(blobs):
    mixture = BayesianGaussianMixture(1).fit(blobs)
    x = torch.from_numpy(blobs[:5]).requires_grad_()
    mixture.score_samples(x).sum().backward()
    expected = -(blobs[:5] - mixture.means_[0]) @ mixture.precisions_[0]
    np.testing.assert_allclose(x.grad, expected, atol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_saved_mixture_comes_back_exactly(covariance_type, prior_type, blobs, tmp_path):
    settings = {
        "covariance_type": covariance_type,
        "weight_concentration_prior_type": prior_type,
        "mean_prior": [1.0, 2.0, 3.0, 4.0],
        "max_iter": 5,
    }
    mixture = BayesianGaussianMixture(3, **settings).fit(blobs)
    save(mixture, tmp_path / "mixture.safetensors")
    loaded = load(tmp_path / "mixture.safetensors")
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(mixture, name), name)
    assert loaded.get_params() == mixture.get_params()
    np.testing.assert_array_equal(loaded.score_samples(blobs), mixture.score_samples(blobs))


def test_an_unfitted_mixture_says_so(blobs):
    with pytest.raises(NotFittedError):
        BayesianGaussianMixture().score_samples(blobs)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"weight_concentration_prior_type": "gamma"},
            "weight_concentration_prior_type='gamma', expected one of dirichlet_process, diri",
        ),
        (
            {"weight_concentration_prior": 0.0},
            "weight_concentration_prior=0.0, expected a finite number above 0; pass None for 0.5",
        ),
        ({"mean_precision_prior": float("nan")}, "mean_precision_prior=nan, expected a finite"),
        ({"mean_precision_prior": "1"}, "mean_precision_prior='1', expected a finite number"),
        ({"mean_prior": [0.0, 1.0]}, r"mean_prior has shape \(2,\), expected \(4,\)"),
        ({"mean_prior": [0.0, 1.0, np.inf, 0.0]}, r"mean_prior=\[0.0, 1.0, inf, 0.0\], expected"),
        (
            {"degrees_of_freedom_prior": 3.0},
            "degrees_of_freedom_prior=3.0, expected a finite number above 3; pass None for 4",
        ),
        ({"covariance_prior": 1.0}, r"covariance_prior has shape \(\), expected \(4, 4\)"),
        ({"covariance_prior": -np.eye(4)}, "covariance_prior is not symmetric and positive"),
        ({"covariance_prior": np.eye(4) + np.eye(4, k=1)}, "covariance_prior is not symmetric"),
        (
            {"covariance_prior": [1.0, 2.0, 0.0, 1.0], "covariance_type": "diag"},
            "covariance_prior is not symmetric and positive definite",
        ),
        (
            {"covariance_prior": [1.0], "covariance_type": "spherical"},
            r"covariance_prior has shape \(1,\), expected \(\)",
        ),
    ],
)
def test_a_prior_that_cannot_be_is_named_with_its_value(blobs, settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        BayesianGaussianMixture(2, **settings).fit(blobs)
    assert "\n" not in str(caught.value)


def test_weights_that_count_less_than_a_sample_need_a_prior(blobs):
    share = np.full(len(blobs), 0.5 / len(blobs))
    with pytest.raises(ValueError, match=r"sample_weight has sum 0\.5, expected above 1"):
        BayesianGaussianMixture().fit(blobs, sample_weight=share)
    prior = BayesianGaussianMixture(covariance_prior=np.eye(4)).fit(blobs, sample_weight=share)
    assert prior.degrees_of_freedom_[0] == pytest.approx(4.5)
