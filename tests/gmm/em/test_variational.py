import numpy as np
import pytest
import torch
from em_by_rows import complete
from scipy.special import multigammaln
from scipy.stats import multivariate_t

from gmm.bayesian import BayesianGaussianMixture
from gmm.covariance import COVARIANCES
from gmm.em import initialization, loop
from gmm.em.joint import log_joint
from gmm.em.log_density import normalise
from gmm.em.sticks import WEIGHT_PRIORS
from gmm.em.variational import (
    Prior,
    VariationalBayes,
    entropy,
    log_wishart_normaliser,
    moments,
)
from gmm.samples.in_memory import InMemory

EXACTLY = {"rtol": 1e-12, "atol": 1e-12}


@pytest.fixture(params=list(WEIGHT_PRIORS))
def weight_prior(request):
    return WEIGHT_PRIORS[request.param]


def default_objective(samples, covariance, weight_prior, reg_covar=0.0):
    """Variational Bayes with scikit-learn's default prior for three components."""
    weight, mean, scatter = moments(samples, covariance)
    prior = Prior(1 / 3, 1.0, mean, float(len(mean)), scatter / (weight - 1))
    prior = prior.translate(-samples.reference)
    return VariationalBayes(covariance, weight_prior, prior, reg_covar)


def fitted(x, covariance, weight_prior, seeds, tol):
    samples = InMemory(x)
    objective = default_objective(samples, covariance, weight_prior)
    start = initialization.start(samples, 3, "random", seeds).parameters(samples, objective)
    return loop.run(samples, *start, objective, tol=tol, max_iter=500)


def test_a_batch_of_runs_equals_the_runs_one_by_one(covariance_type, weight_prior, blobs):
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    batch = fitted(x, covariance, weight_prior, [0, 1, 2], tol=1.0)
    assert batch.converged.all()
    for index in range(3):
        alone = fitted(x, covariance, weight_prior, [index], tol=1.0)
        mine = batch.history[index][~batch.history[index].isnan()]
        assert len(mine) == alone.history.shape[1]
        torch.testing.assert_close(batch.lower_bound[index], alone.lower_bound[0], **EXACTLY)
        found = batch.parameters.select(torch.tensor([index]))
        for name in ("means", "sticks", "mean_precision", "degrees_of_freedom"):
            expected = getattr(alone.parameters, name)
            torch.testing.assert_close(getattr(found, name), expected, rtol=1e-10, atol=1e-10)


def test_the_bound_never_decreases(covariance_type, weight_prior, blobs):
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    steps = fitted(x, covariance, weight_prior, range(3), tol=1e-2).history.diff(dim=1)
    assert (steps[~steps.isnan()] > -1e-9).all()


def log_evidence(x, prior):
    """Log p(x) of one Gaussian, as the product of the predictive densities of sample by sample."""
    mean, precision = prior.mean.numpy(), prior.mean_precision
    degrees, scatter = prior.degrees_of_freedom, prior.covariance.numpy()
    total = 0.0
    for sample in x:
        freedom = degrees - len(mean) + 1
        shape = scatter * (precision + 1) / (precision * freedom)
        total += multivariate_t(mean, shape, freedom).logpdf(sample)
        deviation = sample - mean
        scatter = scatter + precision / (precision + 1) * np.outer(deviation, deviation)
        mean = mean + deviation / (precision + 1)
        precision, degrees = precision + 1, degrees + 1
    return total


def test_the_bound_of_one_gaussian_is_its_evidence_up_to_a_constant(weight_prior):
    random = np.random.default_rng(0)
    spread = torch.from_numpy(np.diag([1.0, 2.0, 3.0]) + 0.5)
    prior = Prior(0.7, 2.5, torch.tensor([1.0, -2.0, 0.5]).double(), 4.5, spread)
    bounds, evidences = [], []
    for scale in (0.1, 1.0, 10.0):
        x = scale * random.normal(size=(40, 3)) + random.normal(size=3)
        samples = InMemory(torch.from_numpy(x))
        about = prior.translate(-samples.reference)
        objective = VariationalBayes(COVARIANCES["full"], weight_prior, about, 0.0)
        start = initialization.start(samples, 1, "random", [0]).parameters(samples, objective)
        bounds.append(loop.run(samples, *start, objective, max_iter=3).best().lower_bound)
        evidences.append(log_evidence(x, prior))
    np.testing.assert_allclose(np.diff(bounds), np.diff(evidences), rtol=1e-11)


@pytest.mark.parametrize("n_features", [1, 4, 70])
def test_the_entropy_from_statistics_is_that_of_the_responsibilities(
    covariance_type, weight_prior, n_features
):
    covariance = COVARIANCES[covariance_type]
    x = torch.randn(200, n_features, generator=torch.Generator().manual_seed(0)).double()
    weights = torch.arange(200).double() % 3
    samples = InMemory(x + 5, weights)
    objective = default_objective(samples, covariance, weight_prior, reg_covar=1e-3)
    start, _ = initialization.start(samples, 3, "random", [0, 1]).parameters(samples, objective)
    start = start.translate(-samples.reference)
    found = entropy(objective.expectation(samples, start), start, covariance)
    evaluate, expected = log_joint(start, covariance), torch.zeros(2, dtype=torch.float64)
    for chunk in samples.chunks(covariance, 50):
        resp = normalise(evaluate(chunk))[1]
        assert chunk.weights is not None
        expected -= (torch.xlogy(resp, resp).sum(1) * chunk.weights).sum(-1)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_moments_are_those_of_the_repeated_samples(covariance_type, blobs):
    repeats = np.arange(len(blobs)) % 4
    samples = InMemory(torch.from_numpy(blobs), torch.from_numpy(repeats).double())
    weight, mean, scatter = moments(samples, COVARIANCES[covariance_type])
    covariance = np.cov(blobs.T, fweights=repeats)
    expected = {
        "full": covariance,
        "tied": covariance,
        "diag": np.diag(covariance),
        "spherical": np.diag(covariance).mean(keepdims=True),
    }[covariance_type]
    assert weight == repeats.sum()
    np.testing.assert_allclose(mean, np.average(blobs, axis=0, weights=repeats), rtol=1e-12)
    np.testing.assert_allclose(scatter / (weight - 1), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("n_features", [1, 3, 40])
def test_the_wishart_normaliser_is_bishops(n_features):
    degrees = np.array([n_features - 0.5, n_features + 7.0, 1e4])
    log_determinant = np.array([0.3, -2.0, 5.0])  # half that of ν W
    of_scale = 2 * log_determinant - n_features * np.log(degrees)
    expected = degrees / 2 * (of_scale + n_features * np.log(2))
    expected += multigammaln(degrees / 2, n_features)
    expected -= n_features * (n_features - 1) / 4 * np.log(np.pi)
    found = log_wishart_normaliser(
        torch.from_numpy(degrees)[None], torch.from_numpy(log_determinant)[None], n_features
    )
    np.testing.assert_allclose(found[0], expected, rtol=1e-11)


@pytest.mark.filterwarnings("ignore:the best of 1 runs did not converge")
@pytest.mark.parametrize("prior_type", list(WEIGHT_PRIORS))
def test_the_bound_never_decreases_where_values_are_missing(covariance_type, prior_type, holed):
    settings = {"weight_concentration_prior_type": prior_type, "missing": "marginalize"}
    mixture = BayesianGaussianMixture(
        4, covariance_type=covariance_type, reg_covar=0.0, tol=0.0, max_iter=40, **settings
    ).fit(holed)
    steps = np.diff(mixture.lower_bounds_)
    assert len(steps) == 39
    assert (steps > -1e-9 * abs(mixture.lower_bound_)).all()


def test_one_component_completes_the_missing_values_of_a_gaussian(holed):
    """At the end, the mean of the posterior is that of the completed samples and of the prior."""
    settings = {"reg_covar": 0.0, "tol": 0.0, "max_iter": 300, "missing": "marginalize"}
    with pytest.warns(UserWarning, match="did not converge"):
        mixture = BayesianGaussianMixture(1, **settings).fit(holed)
    mean, matrix = mixture.means_[0], mixture.covariances_[0]
    completed = [complete(row, mean, matrix) for row in holed]
    rows = np.stack([row for row, _ in completed])
    expected = (rows.sum(0) + mixture.mean_prior_) / (len(rows) + 1)
    np.testing.assert_allclose(mean, expected, rtol=0, atol=1e-9)
    around = rows - rows.mean(0)
    step = rows.mean(0) - mixture.mean_prior_
    scatter = around.T @ around + sum(spread for _, spread in completed)
    scatter += mixture.covariance_prior_ + np.outer(step, step) * len(rows) / (len(rows) + 1)
    np.testing.assert_allclose(matrix, scatter / (4 + len(rows)), rtol=1e-8)
