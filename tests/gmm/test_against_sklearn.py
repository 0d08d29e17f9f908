"""Bound and iterations are scikit-learn's from an equal start, at any scale and reg_covar."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from exact_em import DIGITS, exact_bounds
from sklearn.mixture import BayesianGaussianMixture as BayesianReference
from sklearn.mixture import GaussianMixture as Reference

from gmm import BayesianGaussianMixture, GaussianMixture

TYPES = ("full", "tied", "diag", "spherical")
REGULARISERS = (0.0, 1e-10, 1e-6, 1e-6, 1e-3, 1.0)
# By how much a bound may differ in nats, beside 1e-9 of its size. In float32 it sums terms of up
# to d times ``FLOAT32_REACH`` squared, 600 nats for the 6 features here, in 24 bits each.
ROUNDING = {"float64": 1e-9, "float32": 600 * 2.0**-24}


@dataclass(frozen=True)
class Problem:
    """Samples, how often each counts, and a start.

    Args:
        x: Samples, with scales of 1e-6 to 1e6, one for all features or one each.
        sample_weight: Whole numbers from 0; None for once.
        n_components: Number of components.
        settings: What both estimators take.
    """

    x: np.ndarray
    sample_weight: np.ndarray | None
    n_components: int
    settings: dict[str, Any]

    @property
    def rows(self):
        """The samples in float64, each as often as it counts: what scikit-learn can fit."""
        x = self.x.astype(float)
        return x if self.sample_weight is None else x.repeat(self.sample_weight, axis=0)


def problem(seed):
    """Every covariance type with and without weights in both precisions, in turn."""
    random = np.random.default_rng(seed)
    d, k, n = (int(random.integers(*ends)) for ends in ((1, 7), (1, 4), (30, 200)))
    scales = 10.0 ** random.uniform(-6, 6, d if random.random() < 0.5 else 1)
    shifts = random.integers(0, k, (n, 1)) * random.uniform(0, 5)
    x = (random.normal(size=(n, d)) @ random.normal(size=(d, d)) + shifts) * scales
    x = x.astype(np.float32 if seed // 8 % 2 else np.float64)
    kind = TYPES[seed % len(TYPES)]
    settings = {
        "covariance_type": kind,
        "reg_covar": random.choice(REGULARISERS),
        "weights_init": np.full(k, 1 / k),
        "means_init": x[random.choice(n, k, replace=False)].astype(float),
        "precisions_init": spread_precisions(x.var(0, dtype=float), k)[kind],
        "max_iter": 30,
    }
    return Problem(x, random.integers(0, 4, n) if seed // 4 % 2 else None, k, settings)


def spread_precisions(variances, k):
    """Precisions of components that are each as wide as all samples together."""
    return {
        "full": np.stack([np.diag(1 / variances)] * k),
        "tied": np.diag(1 / variances),
        "diag": np.stack([1 / variances] * k),
        "spherical": np.full(k, 1 / variances.mean()),
    }


def assert_same_fit(seed):
    given = problem(seed)
    k, settings = given.n_components, given.settings
    try:
        reference = Reference(k, **settings).fit(given.rows)
    except ValueError:  # a component has shrunk onto one sample, and reg_covar is 0
        try:
            GaussianMixture(k, **settings).fit(given.x, sample_weight=given.sample_weight)
        except ValueError as error:
            assert "increase reg_covar" in str(error)  # noqa: PT017 - either is right
        else:  # rounding has left some width to what is singular in all digits
            with pytest.raises(ZeroDivisionError, match="singular"):
                exact_bounds(given.x, settings, given.sample_weight)
        return
    ours = GaussianMixture(k, **settings).fit(given.x, sample_weight=given.sample_weight)
    rounding = ROUNDING[given.x.dtype.name] + 1e-9 * abs(reference.lower_bound_)
    same_bound = abs(ours.lower_bound_ - reference.lower_bound_) < rounding
    if same_bound and ours.n_iter_ == reference.n_iter_:
        assert not np.any(ours.diagnostics_["added_variances"])
        return
    exact = exact_bounds(given.x, settings, given.sample_weight)
    theirs_is_right = abs(
        reference.lower_bound_ - exact[-1]
    ) < rounding and reference.n_iter_ == len(exact)
    assert not theirs_is_right, (
        f"seed {seed}: {ours.lower_bound_} after {ours.n_iter_} iterations, but {exact[-1]} after "
        f"{len(exact)} in {DIGITS} digits"
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_the_judge_agrees_with_scikit_learn_where_nothing_is_near_to_singular(
    covariance_type, weighted, easy
):
    x = easy[::10]
    settings = {
        "covariance_type": covariance_type,
        "reg_covar": 1e-3,
        "weights_init": [0.2, 0.8],
        "means_init": x[:2],
        "precisions_init": spread_precisions(x.var(0), 2)[covariance_type],
        "max_iter": 20,
    }
    weights = np.arange(len(x)) % 3 if weighted else None
    rows = x if weights is None else x.repeat(weights, axis=0)
    reference = Reference(2, **settings).fit(rows)
    np.testing.assert_allclose(
        exact_bounds(x, settings, weights), reference.lower_bounds_, rtol=1e-12
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_bound_and_iterations_are_scikit_learns_whatever_the_scales_and_the_regulariser():
    for seed in range(32):
        assert_same_fit(seed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_bound_and_iterations_are_scikit_learns_in_two_thousand_problems():
    for seed in range(2000):
        assert_same_fit(seed)


@pytest.mark.parametrize("reg_covar", [1e-2, 1.0, 1e3])
def test_a_bayesian_mixture_adds_what_is_asked_for_too(covariance_type, reg_covar, blobs):
    settings = {"covariance_type": covariance_type, "reg_covar": reg_covar, "random_state": 0}
    ours = BayesianGaussianMixture(1, **settings).fit(blobs)
    reference = BayesianReference(n_components=1, **settings).fit(blobs)
    np.testing.assert_allclose(ours.covariances_, reference.covariances_, rtol=1e-9)


def test_a_wide_feature_leaves_the_variance_of_another_alone():
    random = np.random.default_rng(0)
    x = np.c_[random.uniform(1.7e9, 1.73e9, 400), random.normal(0.2, 0.03, 400)]
    mixture = GaussianMixture().fit(x)
    np.testing.assert_allclose(mixture.covariances_[0, 1, 1], x[:, 1].var() + 1e-6, rtol=1e-9)


def test_what_a_covariance_needs_beyond_reg_covar_is_small_per_feature_and_recorded():
    random = np.random.default_rng(0)
    wide = 1e8 * random.normal(size=200)
    x = np.c_[wide, 3 * wide, -wide, random.normal(size=200)]  # 1e-6 vanishes beside 1e16
    with pytest.raises(ValueError, match=r"ill-defined|singular|positive"):
        Reference().fit(x)
    mixture = GaussianMixture().fit(x)
    added = np.array(mixture.diagnostics_["added_variances"])[0]
    assert (added > 0).all()
    assert (added < 1e-12 * x.var(0)).all()
    diagonal = np.diag(mixture.covariances_[0])
    np.testing.assert_allclose(diagonal[3], x[:, 3].var() + 1e-6 + added[3], rtol=1e-9)
    assert mixture.set_params(reg_covar="auto").fit(x).diagnostics_["added_variances"] == [
        [0.0] * 4
    ]


def test_auto_is_one_millionth_unless_the_scale_of_the_samples_says_otherwise(blobs):
    def added(x, reg_covar):
        mixture = GaussianMixture(1, covariance_type="diag", reg_covar=reg_covar).fit(x)
        return mixture.covariances_[0] - x.var(0)

    np.testing.assert_allclose(added(blobs, "auto"), 1e-6, rtol=1e-6)
    small = blobs * 1e-6
    np.testing.assert_allclose(added(small, "auto"), 1e-3 * small.var(0).mean(), rtol=1e-9)
    np.testing.assert_allclose(added(small, 1e-6), 1e-6, rtol=1e-9)
    for word in ("Auto", "1e-6", True, -1.0):
        with pytest.raises(ValueError, match=r"reg_covar=.*expected a number >= 0, or 'auto'"):
            GaussianMixture(reg_covar=word).fit(blobs)


SHAPES = {  # samples, features, components
    "two samples": (2, 3, 1),
    "fewer than two samples a component": (5, 2, 3),
    "one feature": (40, 1, 3),
    "one component": (60, 5, 1),
    "fewer samples than features": (12, 30, 2),
    "few samples": (300, 10, 3),
    "more than few": (700, 16, 4),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "of weight 1"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_small_fit_and_its_answers_are_scikit_learns(covariance_type, shape, weighted):
    n, d, k = shape
    random = np.random.default_rng(n)
    x = random.normal(size=(n, d)) + 3 * (np.arange(n)[:, None] % k)
    settings = {
        "covariance_type": covariance_type,
        "reg_covar": 1e-2,
        "weights_init": np.full(k, 1 / k),
        "means_init": x[:k] + 0.1,
        "precisions_init": spread_precisions(x.var(0) + 1, k)[covariance_type],
        "max_iter": 20,
    }
    reference = Reference(k, **settings).fit(x)
    ours = GaussianMixture(k, **settings).fit(x, sample_weight=np.ones(n) if weighted else None)
    assert ours.n_iter_ == reference.n_iter_
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(ours.lower_bounds_, reference.lower_bounds_, **close)
    np.testing.assert_allclose(ours.means_, reference.means_, **close)
    np.testing.assert_allclose(ours.covariances_, reference.covariances_, **close)
    for some in (x, x[:1]):
        np.testing.assert_allclose(ours.score_samples(some), reference.score_samples(some), **close)
        np.testing.assert_allclose(ours.predict_proba(some), reference.predict_proba(some), **close)
        np.testing.assert_array_equal(ours.predict(some), reference.predict(some))
