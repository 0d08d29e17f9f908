"""float32 samples are summed in float64 where covariances are near to singular, run by run."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from gmm import GaussianMixture
from gmm.covariance import COVARIANCES
from gmm.covariance.matrices import Matrices
from gmm.em import initialization, loop
from gmm.em.likelihood import Likelihood
from gmm.em.parameters import Parameters
from gmm.em.ways import need_float64, task_of
from gmm.samples.in_memory import InMemory


def collinear(n=600):
    """Two features that are equal but for a thousandth, and one of their own."""
    random = np.random.default_rng(0)
    wide = random.normal(0, 100, n)
    x = np.c_[wide, wide + random.normal(0, 0.1, n), random.normal(size=n)]
    return x.astype(np.float32)


def fewer_than_features(d):
    return np.random.default_rng(0).normal(size=(60, d)).astype(np.float32)


@pytest.mark.parametrize("kind", ["full", "tied"])
@pytest.mark.parametrize("x", [collinear(), fewer_than_features(50), fewer_than_features(90)])
def test_bound_and_scores_of_float32_samples_are_exact_whatever_the_conditioning(kind, x):
    wide = x.astype(np.float64)
    covariance = np.cov(wide.T, bias=True) + 1e-6 * np.eye(x.shape[1])
    expected = multivariate_normal(wide.mean(0), covariance).logpdf(wide)
    mixture = GaussianMixture(1, covariance_type=kind).fit(x)
    assert mixture.lower_bound_ == pytest.approx(expected.mean(), abs=1e-5)
    np.testing.assert_allclose(mixture.score_samples(x), expected, rtol=2e-4, atol=2e-3)


def test_a_start_that_hides_the_conditioning_does_not_spoil_the_sums():
    x = fewer_than_features(120)
    start = {
        "weights_init": [0.5, 0.5], "means_init": x[:2], "precisions_init": [np.eye(120)] * 2,
    }  # fmt: skip
    mixtures = [GaussianMixture(2, **start).fit(values) for values in (x, x.astype(float))]
    single, double = (mixture.lower_bounds_ for mixture in mixtures)
    np.testing.assert_allclose(single, double, rtol=1e-6)


def test_only_the_runs_that_need_it_leave_float32():
    x = torch.from_numpy(collinear())
    samples, covariance = InMemory(x), COVARIANCES["full"]
    objective = Likelihood(covariance, 1e-6)
    round_run = torch.eye(3, dtype=torch.float64)[None, None] / 100
    drawn = initialization.start(samples, 1, "kmeans", [0]).parameters(samples, objective)[0]
    start = Parameters(
        drawn.weights.expand(2, 1),
        drawn.means.expand(2, 1, 3),
        torch.cat([round_run, drawn.precisions_cholesky]),
    )
    about = start.translate(-samples.reference)
    task = task_of(about, samples.n_samples, torch.float32)
    assert need_float64(about, covariance, task).tolist() == [False, True]
    both = objective.expectation(samples, about)
    for run, digits in enumerate((1e-5, 1e-12)):
        alone = objective.expectation(samples, about.select(torch.tensor([run])))
        for name in ("log_density", "counts", "first", "second"):
            torch.testing.assert_close(
                getattr(both, name)[run], getattr(alone, name)[0], rtol=digits, atol=1e4 * digits
            )
    valid = torch.ones(2, dtype=torch.bool)
    runs = loop.run(samples, start, valid, objective, max_iter=3)
    torch.testing.assert_close(runs.lower_bound[0], runs.lower_bound[1], rtol=1e-9, atol=0)


def test_few_samples_are_computed_in_float64_without_a_look_at_the_conditioning(monkeypatch):
    x = torch.from_numpy(fewer_than_features(50))
    covariance, samples = COVARIANCES["full"], InMemory(x)
    start = initialization.start(samples, 1, "kmeans", [0])
    about = start.parameters(samples, Likelihood(covariance, 1e-3))[0].translate(-samples.reference)
    monkeypatch.delattr(Matrices, "inflation")
    assert need_float64(about, covariance, task_of(about, len(x), torch.float32)).all()


def test_inflation_is_that_of_the_variance_and_has_no_unit(blobs):
    x = torch.from_numpy(blobs)
    covariance = torch.cov(x.T)
    expected = (covariance.diagonal() * covariance.inverse().diagonal()).mean()
    for scale in (1.0, torch.tensor([1e-6, 1.0, 1e3, 1e8], dtype=torch.float64)):
        chol, _ = COVARIANCES["full"].factorise(torch.cov((x * scale).T)[None, None])
        torch.testing.assert_close(COVARIANCES["full"].inflation(chol)[0, 0], expected)
