"""What holds for any samples: identities between fits, and answers to bad input."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import adjusted_rand_score

from gmm import GaussianMixture
from gmm.covariance import COVARIANCES
from gmm.em import initialization, loop
from gmm.em.likelihood import Likelihood
from gmm.samples.in_memory import InMemory

DENSE = ("full", "tied", "diag", "spherical")
ATTRIBUTES = ("weights_", "means_", "covariances_")
EXAMPLES = settings(max_examples=15, deadline=None, derandomize=True)

seeds = st.integers(0, 2**31 - 1)
dense = st.sampled_from(DENSE)


def clusters(seed, n_clusters=3, n=60, n_features=2, distance=30.0):
    """Round clusters ``distance`` standard deviations apart, and which sample is whose."""
    random = np.random.default_rng(seed)
    centres = distance * np.arange(n_clusters)[:, None] * np.ones(n_features)
    labels = np.repeat(np.arange(n_clusters), n // n_clusters)
    return centres[labels] + random.normal(size=(len(labels), n_features)), labels


def overlapping(seed, n=60, n_features=2):
    """Samples that no two components share out neatly."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(n_features, n_features)) + 2 * np.eye(n_features)
    return random.normal(size=(n, n_features)) @ mixing + random.integers(0, 3, (n, 1)) * 2.0


def from_given_means(kind, x, **options):
    """An unfitted mixture of which every restart begins at the first samples."""
    precision = 1 / x.var()
    n_features = x.shape[1]
    precisions = {
        "full": np.stack([precision * np.eye(n_features)] * 2),
        "tied": precision * np.eye(n_features),
        "diag": np.full((2, n_features), precision),
        "spherical": np.full(2, precision),
    }[kind]
    return GaussianMixture(
        2, covariance_type=kind, weights_init=[0.5, 0.5], means_init=x[:2],
        precisions_init=precisions, tol=0.0, max_iter=15, **options,
    )  # fmt: skip


@EXAMPLES
@given(seeds, dense)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_sample_of_weight_zero_is_a_sample_removed(seed, kind):
    x = overlapping(seed)
    weights = np.random.default_rng(seed).integers(0, 2, len(x)).astype(float)
    weights[:10] = 1.0
    weighted = from_given_means(kind, x).fit(x, sample_weight=weights)
    removed = from_given_means(kind, x).fit(x[weights > 0])
    assert_equal_fits(weighted, removed)


@EXAMPLES
@given(seeds, dense)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_integer_weight_is_a_repetition(seed, kind):
    x = overlapping(seed)
    weights = np.random.default_rng(seed).integers(0, 4, len(x))
    weights[:10] = 2
    weighted = from_given_means(kind, x).fit(x, sample_weight=weights)
    repeated = from_given_means(kind, x).fit(np.repeat(x, weights, axis=0))
    assert_equal_fits(weighted, repeated)


def assert_equal_fits(found, expected):
    np.testing.assert_allclose(found.lower_bounds_, expected.lower_bounds_, rtol=1e-10, atol=1e-10)
    for name in ATTRIBUTES:
        values = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(*values, rtol=1e-10, atol=1e-10, err_msg=name)


@EXAMPLES
@given(seeds, dense, st.sampled_from(["kmeans", "k-means++", "random", "random_from_data"]))
def test_a_batch_of_runs_is_the_runs_one_by_one(seed, kind, method):
    samples = InMemory(torch.from_numpy(overlapping(seed)))
    objective = Likelihood(COVARIANCES[kind], 1e-3)

    def runs(of_seeds):
        start = initialization.start(samples, 3, method, of_seeds)
        found = start.parameters(samples, objective)
        return loop.run(samples, *found, objective, tol=1e-3, max_iter=30)

    restarts = [seed, 1, 2]
    batch, alone = runs(restarts), [runs([restart]) for restart in restarts]
    assert (
        (batch.history.isnan().sum(1) + torch.tensor([a.history.shape[1] for a in alone]))
        .eq(batch.history.shape[1])
        .all()
    )
    for name in ("weights", "means", "precisions_cholesky"):
        expected = torch.cat([getattr(run.parameters, name) for run in alone])
        torch.testing.assert_close(
            getattr(batch.parameters, name), expected, rtol=1e-12, atol=1e-12
        )


@EXAMPLES
@given(seeds, dense, st.sampled_from(["float32", "float64"]))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_bound_never_decreases(seed, kind, precision):
    x = overlapping(seed).astype(precision)
    options = {"covariance_type": kind, "reg_covar": 0.0, "tol": 0.0, "max_iter": 25}
    try:
        fitted = GaussianMixture(3, random_state=0, **options).fit(x)
    except ValueError:  # without a regulariser a component may shrink onto one sample,
        reject()
    assume((fitted.weights_ * len(x)).min() > 3)  # or two, between which its variance is rounding
    # Rounding of log densities of a few nats, in the precision in which they are computed.
    rounding = {"float32": 1e-6, "float64": 1e-13}[precision]
    assert (np.diff(fitted.lower_bounds_) >= -rounding).all()


@pytest.mark.parametrize("kind", DENSE)
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("exponent", range(-8, 9, 2))
def test_the_unit_of_the_samples_does_not_matter(kind, precision, exponent):
    x, labels = clusters(0)
    x = (x * 10.0**exponent).astype(precision)
    mixture = GaussianMixture(3, covariance_type=kind, n_init=3, random_state=0, reg_covar="auto")
    found = mixture.fit_predict(x)
    assert adjusted_rand_score(labels, found) == 1.0


@pytest.mark.parametrize("kind", DENSE)
def test_the_place_of_the_samples_does_not_matter(kind):
    x, labels = clusters(0)
    settings = {"covariance_type": kind, "n_init": 3, "random_state": 0}
    found = GaussianMixture(3, **settings).fit_predict(x + 1e8)
    assert adjusted_rand_score(labels, found) == 1.0


@EXAMPLES
@given(dense, arrays(float, (4, 2), elements=st.sampled_from([-1e200, -1e10, 0.0, 1e155, 1e200])))
def test_samples_beyond_any_scale_have_probabilities_that_sum_to_one(kind, far):
    fitted = GaussianMixture(3, covariance_type=kind, random_state=0).fit(clusters(0)[0])
    probabilities = fitted.predict_proba(far)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(1), 1.0, rtol=1e-12)


BAD = {
    "NaN": ([[0.0, 1.0], [2.0, np.nan], [1.0, 1.0]], r"x\[1, 1\] is NaN"),
    "infinity": ([[0.0, 1.0], [-np.inf, 2.0], [1.0, 1.0]], r"x\[1, 0\] is -inf"),
    "one axis": ([0.0, 1.0, 2.0], r"x has shape \(3,\), expected samples in rows"),
    "no rows": (np.empty((0, 2)), r"shape=\(0, 2\)"),
    "no columns": (np.empty((3, 0)), r"shape=\(3, 0\)"),
    "complex": (np.ones((3, 2)) * 1j, "x has dtype complex128, expected real numbers"),
    "words": ([["1", "2"], ["3", "red"], ["4", "5"]], r"x\[1, 1\] is 'red', expected a number"),
    "digits": ([["1", "2"], ["3", "4"]], r"x\[0, 0\] is '1', a string, expected a number"),
    "objects": (np.array([[1, 2], [3, {}]], dtype=object), r"x\[1, 1\] is {}, expected a number"),
    "too few": (np.ones((2, 2)), "n_components=3 needs at least as many samples, got n_samples=2"),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_cannot_be_fitted_is_refused_in_one_line(fault):
    x, message = BAD[fault]
    with pytest.raises((ValueError, TypeError), match=message) as raised:
        GaussianMixture(3).fit(x)
    assert "\n" not in str(raised.value)


@EXAMPLES
@given(st.integers(0, 8), st.integers(0, 1), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_faulty_element_is_named_wherever_it_is(row, column, value):
    fitted = GaussianMixture(2, random_state=0).fit(clusters(0)[0])
    x = np.ones((9, 2))
    x[row, column] = value
    for ask in (fitted.predict, fitted.score_samples, fitted.fit):
        with pytest.raises(ValueError, match=rf"x\[{row}, {column}\] is (NaN|inf|-inf); expected"):
            ask(x)
