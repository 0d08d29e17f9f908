import numpy as np
import pytest
import torch
from em_by_rows import constrain, dense_step, loadings_step

from gmm.estimator import GaussianMixture

SETTINGS = {"random_state": 0, "missing": "marginalize"}


def started(x, covariance_type, **settings):
    """A mixture that begins with fixed parameters, and those as weights, means and matrices."""
    begin = GaussianMixture(2, covariance_type=covariance_type, random_state=1)
    begin.fit(np.nan_to_num(x))
    start = {"weights_init": begin.weights_, "means_init": begin.means_}
    start["precisions_init"] = begin.precisions_
    mixture = GaussianMixture(2, covariance_type=covariance_type, **start, **settings, **SETTINGS)
    matrices = begin.as_module().covariance_matrices().numpy()
    return mixture, (begin.weights_, begin.means_, matrices)


def loop(x, values, covariance_type, sample_weight=None, n_iter=3):
    """Bounds and parameters of EM, sample by sample."""
    bounds = []
    for _ in range(n_iter):
        bound, weights, means, matrices = dense_step(x, *values, sample_weight)
        values = weights, means, constrain(matrices, weights, covariance_type)
        bounds.append(bound)
    return bounds, *values


@pytest.mark.filterwarnings("ignore:the best of 1 runs did not converge")
@pytest.mark.parametrize("missing_share", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("weighted", [False, True])
def test_em_is_that_of_a_loop_over_samples(covariance_type, missing_share, weighted, blobs):
    random = np.random.default_rng(2)
    x = blobs[::4].copy()
    x[random.random(x.shape) < missing_share] = np.nan
    x[3] = np.nan
    sample_weight = random.integers(0, 3, len(x)).astype(float) if weighted else None
    settings = {"reg_covar": 0.0, "tol": 0.0, "max_iter": 3}
    mixture, values = started(x, covariance_type, **settings)
    mixture.fit(x, sample_weight=sample_weight)
    bounds, *expected = loop(x, values, covariance_type, sample_weight)
    np.testing.assert_allclose(mixture.lower_bounds_, bounds, rtol=0, atol=1e-9)
    found = mixture.weights_, mixture.means_, mixture.as_module().covariance_matrices().numpy()
    for values, truth in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, truth, rtol=1e-8, atol=1e-9)


@pytest.mark.filterwarnings("ignore:the best of 1 runs did not converge")
def test_em_of_loadings_is_that_of_a_loop_over_samples(blobs, holed):
    x = holed[::4]
    settings = {"covariance_type": "low_rank", "rank": 2, "reg_covar": 0.0, "tol": 0.0, **SETTINGS}
    mixture = GaussianMixture(2, warm_start=True, max_iter=5, **settings).fit(blobs[::4])
    values = mixture.weights_, mixture.means_, mixture.loadings_, mixture.noise_variances_
    mixture.set_params(max_iter=3).fit(x)
    bounds = []
    for _ in range(3):
        bound, *values = loadings_step(x, *values)
        bounds.append(bound)
    np.testing.assert_allclose(mixture.lower_bounds_, bounds, rtol=0, atol=1e-9)
    np.testing.assert_allclose(mixture.means_, values[1], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(mixture.loadings_, values[2], rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(mixture.noise_variances_, values[3], rtol=1e-7, atol=1e-9)


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


def test_a_sample_alone_is_scored_as_among_others(covariance_type, holed):
    mixture = GaussianMixture(2, covariance_type=covariance_type, **SETTINGS).fit(holed)
    alone = np.concatenate([mixture.score_samples(row[None]) for row in holed[:30]])
    np.testing.assert_allclose(alone, mixture.score_samples(holed[:30]), rtol=0, atol=1e-11)
