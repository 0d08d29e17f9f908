import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from gmm.em.missing import patterns
from gmm.estimator import GaussianMixture

NAN = float("nan")
SETTINGS = {"random_state": 0, "missing": "marginalize"}


@pytest.fixture
def holed(blobs):
    """The blobs with a fifth of their values missing, and nothing known of the first."""
    holes = np.random.default_rng(0).random(blobs.shape) < 0.2
    holes[0] = True
    return np.where(holes, NAN, blobs)


def test_nan_is_an_error_unless_declared(holed):
    with pytest.raises(ValueError, match=r"x\[0, 0\] is NaN"):
        GaussianMixture(2).fit(holed)
    complete = GaussianMixture(2, random_state=0).fit(np.nan_to_num(holed))
    with pytest.raises(ValueError, match=r"x\[0, 0\] is NaN"):
        complete.score_samples(holed)
    with pytest.raises(ValueError, match="missing='drop', expected one of error, marginalize"):
        GaussianMixture(2, missing="drop").fit(holed)


def test_infinity_is_an_error_even_so(holed):
    holed[3, 1] = np.inf
    with pytest.raises(ValueError, match=r"x\[3, 1\] is inf"):
        GaussianMixture(2, **SETTINGS).fit(holed)


def test_a_column_that_is_never_known_is_an_error(holed):
    holed[:, 2] = NAN
    with pytest.raises(ValueError, match="column 2 of x is NaN in every sample that counts"):
        GaussianMixture(2, **SETTINGS).fit(holed)


def test_with_nothing_missing_it_is_the_ordinary_fit(covariance_type, blobs):
    settings = {"covariance_type": covariance_type, "random_state": 0}
    ordinary = GaussianMixture(3, **settings).fit(blobs)
    declared = GaussianMixture(3, missing="marginalize", **settings).fit(blobs)
    np.testing.assert_allclose(declared.means_, ordinary.means_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(declared.lower_bounds_, ordinary.lower_bounds_, rtol=0, atol=1e-10)
    found, expected = declared.score_samples(blobs), ordinary.score_samples(blobs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


def test_a_hole_in_a_row_of_no_weight_changes_nothing(covariance_type, blobs):
    settings = {"covariance_type": covariance_type, "max_iter": 20, "tol": 0.0, **SETTINGS}
    settings["means_init"] = blobs[[0, 200, 400]]
    ordinary = GaussianMixture(3, **settings)
    holed = GaussianMixture(3, **settings)
    weights = np.ones(len(blobs))
    weights[5] = 0
    with pytest.warns(UserWarning, match="did not converge"):
        ordinary.fit(blobs, sample_weight=weights)
    damaged = blobs.copy()
    damaged[5, 2] = NAN
    start = {"weights_init": ordinary.weights_, "means_init": ordinary.means_}
    start["precisions_init"] = ordinary.precisions_
    with pytest.warns(UserWarning, match="did not converge"):
        holed.set_params(**start).fit(damaged, sample_weight=weights)
    with pytest.warns(UserWarning, match="did not converge"):
        ordinary.set_params(**start).fit(blobs, sample_weight=weights)
    np.testing.assert_allclose(holed.lower_bounds_, ordinary.lower_bounds_, rtol=0, atol=1e-10)


@pytest.mark.filterwarnings("ignore:the best of 1 runs did not converge")
def test_the_lower_bound_never_decreases(covariance_type, holed):
    settings = {"tol": 1e-9, "max_iter": 20, "reg_covar": 0.0, **SETTINGS}
    mixture = GaussianMixture(2, covariance_type=covariance_type, **settings)
    mixture.fit(holed[::2])
    assert len(mixture.lower_bounds_) > 5
    assert (np.diff(mixture.lower_bounds_) > -1e-11).all()


def diagonal_step(x, weights, means, variances):
    """One EM step with missing values, number by number: Ghahramani & Jordan (1994)."""
    n_components, n_features = means.shape
    counts = np.zeros(n_components)
    first, second = np.zeros((2, n_components, n_features))
    for row in x:
        known = ~np.isnan(row)
        joint = weights * norm.pdf(row[known], means[:, known], variances[:, known] ** 0.5).prod(1)
        for k, share in enumerate(joint / joint.sum()):
            counts[k] += share
            for j in range(n_features):
                value = row[j] if known[j] else means[k, j]
                first[k, j] += share * value
                second[k, j] += share * (value**2 + (0 if known[j] else variances[k, j]))
    means = first / counts[:, None]
    return counts / len(x), means, second / counts[:, None] - means**2


def full_step(x, weights, means, covariances):
    """The same with a matrix per component."""
    counts, first = np.zeros(len(weights)), np.zeros_like(means)
    second = np.zeros_like(covariances)
    for row in x:
        b = np.flatnonzero(~np.isnan(row))
        a = np.flatnonzero(np.isnan(row))
        joint = np.array(weights)
        for k in range(len(weights) if len(b) else 0):
            normal = multivariate_normal(means[k, b], covariances[k][np.ix_(b, b)])
            joint[k] *= normal.pdf(row[b])
        for k, share in enumerate(joint / joint.sum()):
            gain = covariances[k][np.ix_(a, b)] @ np.linalg.inv(covariances[k][np.ix_(b, b)])
            whole, spread = row.copy(), np.zeros_like(covariances[k])
            whole[a] = means[k, a] + gain @ (row[b] - means[k, b])
            spread[np.ix_(a, a)] = (
                covariances[k][np.ix_(a, a)] - gain @ covariances[k][np.ix_(b, a)]
            )
            counts[k] += share
            first[k] += share * whole
            second[k] += share * (np.outer(whole, whole) + spread)
    means = first / counts[:, None]
    outer = means[:, :, None] * means[:, None]
    return counts / len(x), means, second / counts[:, None, None] - outer


@pytest.mark.parametrize(("name", "step"), [("diag", diagonal_step), ("full", full_step)])
def test_em_is_that_of_a_loop_over_samples(name, step, holed):
    x = holed[::4]
    start = GaussianMixture(2, covariance_type=name, random_state=1).fit(np.nan_to_num(x))
    expected = start.weights_, start.means_, start.covariances_
    for _ in range(3):
        expected = step(x, *expected)
    settings = {"covariance_type": name, "reg_covar": 0.0, "tol": 0.0, "max_iter": 3, **SETTINGS}
    mixture = GaussianMixture(
        2,
        weights_init=start.weights_,
        means_init=start.means_,
        precisions_init=start.precisions_,
        **settings,
    )
    with pytest.warns(UserWarning, match="did not converge"):
        mixture.fit(x)
    np.testing.assert_allclose(mixture.weights_, expected[0], rtol=1e-9)
    np.testing.assert_allclose(mixture.means_, expected[1], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(mixture.covariances_, expected[2], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["full", "low_rank"])
def test_densities_are_those_of_the_marginals(name, blobs, holed):
    mixture = GaussianMixture(2, covariance_type=name, rank=2, **SETTINGS).fit(blobs)
    module, scores = mixture.as_module(), mixture.score_samples(holed)
    posterior = mixture.predict_proba(holed)
    for row, score, shares in zip(holed[1:40], scores[1:40], posterior[1:40], strict=True):
        dims = np.flatnonzero(~np.isnan(row)).tolist()
        if len(dims):
            part, values = module.marginal(dims), torch.from_numpy(row[dims])
            assert float(part.log_prob(values)) == pytest.approx(score, abs=1e-10)
            found = part.responsibilities(values)
            torch.testing.assert_close(found, torch.from_numpy(shares), rtol=0, atol=1e-10)
    assert (mixture.predict(holed) == posterior.argmax(1)).all()


def test_of_a_sample_of_which_nothing_is_known_the_weights_are_known(covariance_type, holed):
    mixture = GaussianMixture(2, covariance_type=covariance_type, **SETTINGS).fit(holed)
    assert mixture.score_samples(holed[:1]) == pytest.approx([0.0], abs=1e-12)
    np.testing.assert_allclose(mixture.predict_proba(holed[:1])[0], mixture.weights_, rtol=1e-12)


@pytest.mark.slow
def test_means_are_nearer_than_those_of_the_complete_rows_alone():
    random = np.random.default_rng(4)
    mixing = random.normal(size=(2, 5, 5)) / 2
    truth = np.stack([np.zeros(5), np.full(5, 5.0)])
    parts = [random.normal(size=(300, 5)) @ mixing[k] + truth[k] for k in range(2)]
    x = np.concatenate(parts)
    x[random.random(x.shape) < 0.3] = NAN
    complete = x[~np.isnan(x).any(1)]

    def error(samples):
        means = GaussianMixture(2, **SETTINGS).fit(samples).means_
        return np.square(means[means.mean(1).argsort()] - truth).sum()

    assert error(x) < 0.7 * error(complete)


def test_low_rank_scores_but_does_not_learn_from_samples_with_holes(blobs, holed):
    mixture = GaussianMixture(2, covariance_type="low_rank", rank=2, **SETTINGS)
    with pytest.raises(ValueError, match="values are NaN, expected none to fit"):
        mixture.fit(holed)
    assert np.isfinite(mixture.fit(blobs).score_samples(holed)).all()


def test_patterns_take_every_row_once():
    missing = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) < 0.4
    found = list(patterns(missing))
    assert torch.equal(torch.cat([rows for rows, _ in found]).sort().values, torch.arange(50))
    assert all((missing[rows] == absent).all() for rows, absent in found)


def test_tensors_with_holes_are_differentiable_where_they_are_known(blobs, holed):
    mixture = GaussianMixture(2, **SETTINGS).fit(torch.from_numpy(blobs))
    x = torch.from_numpy(holed[:20]).requires_grad_()
    mixture.score_samples(x).sum().backward()
    assert x.grad is not None
    assert (x.grad[x.isnan()] == 0).all()
    assert x.grad[~x.isnan()].isfinite().all()
    assert (x.grad[~x.isnan()] != 0).all()
