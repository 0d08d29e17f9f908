import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from gmm.estimator import GaussianMixture

SETTINGS = {"random_state": 0, "missing": "marginalize"}


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
            result = part.responsibilities(values)
            torch.testing.assert_close(result, torch.from_numpy(shares), rtol=0, atol=1e-10)
    assert (mixture.predict(holed) == posterior.argmax(1)).all()


def test_of_a_sample_of_which_nothing_is_known_the_weights_are_known(covariance_type, holed):
    mixture = GaussianMixture(2, covariance_type=covariance_type, **SETTINGS).fit(holed)
    assert mixture.score_samples(holed[:1]) == pytest.approx([0.0], abs=1e-12)
    np.testing.assert_allclose(mixture.predict_proba(holed[:1])[0], mixture.weights_, rtol=1e-12)
