from dataclasses import replace

import numpy as np
import pytest
import torch
from deconvolution_by_rows import deconvolution_step
from em_by_rows import constrain

import gmm
from gmm.estimator import GaussianMixture
from gmm.memory import BUDGETS

pytestmark = pytest.mark.filterwarnings("ignore:the best of 1 runs did not converge")
NOISE = ("variances", "covariances")


@pytest.fixture(params=NOISE)
def noise(request, blobs):
    """Noise of every tenth sample of the blobs."""
    random = np.random.default_rng(1)
    n, d = blobs[::10].shape
    if request.param == "variances":
        return random.uniform(0, 2, (n, d))
    factors = random.normal(size=(n, d, d))
    return factors @ factors.swapaxes(1, 2) / 3


def fitted_in_steps(x, noise, covariance_type, n_iter, **settings):
    """A mixture after some iterations, and its start as weights, means and matrices."""
    begin = GaussianMixture(2, covariance_type=covariance_type, random_state=1)
    begin.fit(np.nan_to_num(x))
    start = {"weights_init": begin.weights_, "means_init": begin.means_}
    start["precisions_init"] = begin.precisions_
    mixture = GaussianMixture(
        2, covariance_type=covariance_type, max_iter=n_iter, tol=0.0, reg_covar=0.0, **start,
        missing="marginalize",
    ).fit(x, noise_covariances=noise, **settings)  # fmt: skip
    matrices = begin.as_module().covariance_matrices().numpy()
    return mixture, (begin.weights_, begin.means_, matrices)


@pytest.mark.parametrize("kind", ["whole", "weighted", "holed"])
def test_em_is_that_of_the_papers_formulas(covariance_type, noise, kind, blobs):
    random = np.random.default_rng(3)
    x = blobs[::10].copy()
    if kind == "holed":
        x[random.random(x.shape) < 0.3] = np.nan
        x[2] = np.nan
    weights = random.integers(0, 3, len(x)).astype(float) if kind == "weighted" else None
    mixture, values = fitted_in_steps(x, noise, covariance_type, 3, sample_weight=weights)
    bounds = []
    for _ in range(3):
        bound, shares, means, matrices = deconvolution_step(x, noise, *values, weights)
        values = shares, means, constrain(matrices, shares, covariance_type)
        bounds.append(bound)
    np.testing.assert_allclose(mixture.lower_bounds_, bounds, rtol=0, atol=1e-9)
    found = mixture.weights_, mixture.means_, mixture.as_module().covariance_matrices().numpy()
    for result, expected in zip(found, values, strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-8, atol=1e-9)
    score = deconvolution_step(x, noise, *values, weights)[0]
    result = mixture.score(x, sample_weight=weights, noise_covariances=noise)
    assert result == pytest.approx(score, abs=1e-9)


@pytest.mark.parametrize("shape", [(450, 4), (450, 4, 4)])
def test_without_noise_it_is_the_ordinary_fit(covariance_type, shape, blobs):
    settings = {"covariance_type": covariance_type, "random_state": 0, "max_iter": 8, "tol": 0.0}
    ordinary = GaussianMixture(3, **settings).fit(blobs)
    mixture = GaussianMixture(3, **settings).fit(blobs, noise_covariances=np.zeros(shape))
    np.testing.assert_allclose(mixture.lower_bounds_, ordinary.lower_bounds_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(mixture.covariances_, ordinary.covariances_, rtol=1e-10, atol=1e-12)
    scores = mixture.score_samples(blobs, noise_covariances=np.zeros(shape))
    np.testing.assert_allclose(scores, mixture.score_samples(blobs), rtol=0, atol=1e-10)


def test_a_missing_value_is_the_limit_of_infinite_noise(covariance_type, blobs):
    random = np.random.default_rng(0)
    x = blobs[::3]
    absent = random.random(x.shape) < 0.3
    noise = np.where(absent, 1e9, 0.0)
    settings = {"n_components": 3, "covariance_type": covariance_type, "random_state": 0}
    settings |= {"max_iter": 5, "tol": 0.0, "means_init": x[[0, 60, 120]]}
    settings["weights_init"] = [0.2, 0.3, 0.5]
    start = GaussianMixture(**settings).fit(x)
    settings["precisions_init"] = start.precisions_
    holed = GaussianMixture(**settings, missing="marginalize").fit(np.where(absent, np.nan, x))
    noisy = GaussianMixture(**settings).fit(x, noise_covariances=noise)
    np.testing.assert_allclose(noisy.means_, holed.means_, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(noisy.covariances_, holed.covariances_, rtol=1e-5, atol=1e-6)
    found = noisy.predict_proba(x, noise_covariances=noise)
    expected = holed.predict_proba(np.where(absent, np.nan, x))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert (noisy.predict(x, noise_covariances=noise) == expected.argmax(1)).all()


def test_the_truth_is_found_behind_the_noise():
    random = np.random.default_rng(0)
    truth = np.array([[[1.0, 0.8], [0.8, 1.0]], [[0.5, -0.2], [-0.2, 0.3]]])
    centres = np.array([[0.0, 0.0], [3.0, -2.0]])
    of = random.integers(0, 2, 4000)
    clean = centres[of] + (np.linalg.cholesky(truth)[of] @ random.normal(size=(4000, 2, 1)))[..., 0]
    deviations = random.uniform(0.1, 1.5, clean.shape)
    x = clean + deviations * random.normal(size=clean.shape)
    settings = {"random_state": 0, "tol": 1e-6, "max_iter": 500}
    mixture = GaussianMixture(2, **settings).fit(x, noise_covariances=deviations**2)
    order = mixture.means_[:, 0].argsort()
    np.testing.assert_allclose(mixture.means_[order], centres, rtol=0, atol=0.1)
    np.testing.assert_allclose(mixture.covariances_[order], truth, rtol=0, atol=0.12)
    naive = GaussianMixture(2, **settings).fit(x)
    assert (naive.covariances_.diagonal(axis1=1, axis2=2) > 1.0).all()


def test_bayes_with_noise_raises_its_bound(covariance_type, noise, blobs):
    settings = {"covariance_type": covariance_type, "tol": 0.0, "max_iter": 30, "reg_covar": 0.0}
    mixture = gmm.BayesianGaussianMixture(3, **settings)
    mixture.fit(blobs[::10], noise_covariances=noise)
    assert (np.diff(mixture.lower_bounds_) > -1e-9).all()


def test_parts_of_the_samples_change_nothing(noise, blobs, monkeypatch):
    x = torch.from_numpy(blobs[::10])
    settings = {"random_state": 0, "max_iter": 3, "tol": 0.0, "n_init": 2}
    whole = GaussianMixture(2, **settings).fit(x, noise_covariances=noise)
    small = replace(BUDGETS["cpu"], chunk_bytes=8 * 7 * 4 * 2 * 16)
    monkeypatch.setitem(BUDGETS, "cpu", small)
    parts = GaussianMixture(2, **settings).fit(x, noise_covariances=noise)
    torch.testing.assert_close(parts.means_, whole.means_, rtol=1e-10, atol=1e-10)
    scores = parts.score_samples(x, noise_covariances=noise)
    assert scores.shape == (len(x),)
    single = GaussianMixture(2, **settings).fit(x.float(), noise_covariances=noise)
    assert single.means_.dtype == torch.float32
    torch.testing.assert_close(single.means_.double(), whole.means_, rtol=1e-3, atol=1e-4)


def test_scores_with_noise_are_differentiable(noise, blobs):
    x = torch.from_numpy(blobs[::10]).requires_grad_()
    mixture = GaussianMixture(2, random_state=0).fit(x.detach())
    assert torch.autograd.gradcheck(
        lambda rows: mixture.score_samples(rows, noise_covariances=noise[:4]), (x[:4],)
    )


def test_singular_noise_is_noise_in_some_directions(blobs):
    noise = np.ones((450, 4, 4))  # the same error in all features
    mixture = GaussianMixture(2, random_state=0).fit(blobs, noise_covariances=noise)
    assert np.isfinite(mixture.score(blobs, noise_covariances=noise))


def test_what_noise_is_not_for_is_refused_in_one_line(blobs):
    noise = np.ones(blobs.shape)
    with pytest.raises(ValueError, match="covariance_type='low_rank', expected one of full"):
        GaussianMixture(2, covariance_type="low_rank").fit(blobs, noise_covariances=noise)
    mixture = GaussianMixture(2, random_state=0)
    with pytest.raises(ValueError, match="samples in parts, Streamed, expected one matrix"):
        mixture.fit([blobs[:200], blobs[200:]], noise_covariances=noise)
    mixture.fit(blobs)
    with pytest.raises(ValueError, match="samples in parts, Chunks, expected one matrix"):
        mixture.score_samples([blobs], noise_covariances=noise)
