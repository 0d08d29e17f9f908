"""float32 keeps its digits however far apart clusters are, against float64."""

import math

import numpy as np
import pytest
import torch

from gmm import GaussianMixture
from gmm.covariance import COVARIANCES
from gmm.covariance.cost import Task
from gmm.em import ways
from gmm.em.deviations import move_to_reference, summarise_deviations
from gmm.em.log_density import log_density
from gmm.em.objective import expected_statistics
from gmm.em.parameters import Parameters
from gmm.em.ways import Way, choose_ways
from gmm.samples.in_memory import InMemory
from gmm.samples.statistics import summarise

D, K, N = 12, 3, 1500
SPREADS = [0, 2, 4, 10, 100, 900]


def clusters(spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Correlated clusters whose centres are so many standard deviations from 0, in float32."""
    random = np.random.default_rng(int(spread))
    centres = spread * random.choice([-1.0, 1.0], size=(K, D))
    mixing = random.normal(size=(D, D)) / math.sqrt(D) / 3 + np.eye(D)
    x = random.normal(size=(N, D)) @ mixing + centres[np.arange(N) % K]
    return x.astype(np.float32), centres


def start(centres: np.ndarray) -> dict[str, np.ndarray]:
    close = centres + np.random.default_rng(1).normal(size=centres.shape) / 4
    return {"weights_init": np.ones(K) / K, "means_init": close}


def fit(x: np.ndarray, covariance_type: str, centres: np.ndarray) -> GaussianMixture:
    settings = {"covariance_type": covariance_type, "max_iter": 4, "tol": 0.0, "random_state": 0}
    init = {**start(centres), "precisions_init": initial_precisions(covariance_type)}
    return GaussianMixture(K, **init, **settings).fit(x)


def initial_precisions(covariance_type: str) -> np.ndarray:
    return {
        "full": np.array([np.eye(D)] * K),
        "tied": np.eye(D),
        "diag": np.ones((K, D)),
        "spherical": np.ones(K),
    }[covariance_type]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("spread", SPREADS)
def test_a_fit_and_its_scores_are_those_of_float64(covariance_type, spread):
    x, centres = clusters(spread)
    single, double = (fit(values, covariance_type, centres) for values in (x, x.astype(float)))
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, abs=2e-6 * D)
    error = single.score_samples(x).astype(float) - double.score_samples(x.astype(float))
    digits = 1e-6 * (np.abs(double.score_samples(x.astype(float))).max() + D)  # of the answer
    # Stated in gmm.em.ways: multiplied out, by the square; about own means, by the distance.
    lost = 5e-6 * D if spread**2 < ways.FLOAT32_REACH else 1e-7 * D * spread
    assert np.abs(error).max() < digits + 6 * lost
    np.testing.assert_allclose(single.means_, double.means_, rtol=1e-6, atol=1e-4)
    scale = np.abs(double.covariances_).max()
    np.testing.assert_allclose(single.covariances_, double.covariances_, atol=3e-4 * scale)


@pytest.mark.parametrize("spread", [10, 300])
def test_far_full_components_are_computed_in_float32(spread):
    _, parameters = far_mixture(spread)
    task = Task(100_000, 1, K, D, torch.float32)
    ((runs, way),) = choose_ways(parameters, COVARIANCES["full"], task)
    assert runs.all()
    assert way == Way(torch.float32, packs=False, about_means=True)


def far_mixture(spread: float) -> tuple[torch.Tensor, Parameters]:
    """Samples as columns about 0 and the mixture that they come from, both in float64."""
    x, centres = clusters(spread)
    columns = torch.from_numpy(x.T.astype(float).copy())
    labels = torch.arange(N) % K
    factors = [
        torch.linalg.inv(torch.linalg.cholesky(torch.cov(columns[:, labels == k]))).mT
        for k in range(K)
    ]
    weights = torch.full((1, K), 1 / K, dtype=torch.float64)
    return columns, Parameters(weights, torch.from_numpy(centres)[None], torch.stack(factors)[None])


def test_a_run_that_is_too_far_is_computed_in_float64_beside_one_that_is_not():
    _, near = far_mixture(1)
    _, far = far_mixture(100)
    _, farther = far_mixture(2000)
    batch = Parameters(
        *(
            torch.cat([getattr(each, name) for each in (near, far, farther)])
            for name in ("weights", "means", "precisions_cholesky")
        )
    )
    task = Task(100_000, 3, K, D, torch.float32)
    chosen = {
        tuple(runs.nonzero()[:, 0].tolist()): (way.dtype, way.about_means)
        for runs, way in choose_ways(batch, COVARIANCES["full"], task)
    }
    single, double = torch.float32, torch.float64
    assert chosen == {(0,): (single, False), (1,): (single, True), (2,): (double, False)}


def test_moments_about_any_means_are_moved_to_the_reference_exactly():
    columns, _ = far_mixture(3)
    samples = InMemory(
        columns.T.contiguous(), torch.arange(N).double() % 3, torch.zeros(D).double()
    )
    covariance = COVARIANCES["full"]
    (chunk,) = samples.chunks(covariance, N)
    resp = torch.rand(2, K, N, dtype=torch.float64).softmax(1)
    log_densities = torch.rand(2, N, dtype=torch.float64)
    means = torch.randn(2, K, D, dtype=torch.float64)
    about = summarise_deviations(chunk, resp, log_densities, means)
    moved, expected = move_to_reference(about, means), summarise(chunk, resp, log_densities)
    for name in ("weight", "log_density", "counts", "first", "second"):
        torch.testing.assert_close(getattr(moved, name), getattr(expected, name))


@pytest.mark.parametrize("spread", [0, 10, 1000])
def test_sums_in_float32_about_own_means_are_those_in_float64(spread):
    columns, parameters = far_mixture(spread)
    x, covariance = columns.T.contiguous(), COVARIANCES["full"]
    samples = [InMemory(values, None, torch.zeros(D).double()) for values in (x.float(), x)]
    single, double = (expected_statistics(each, parameters, covariance) for each in samples)
    shift = [
        (each.first / each.counts[..., None] - parameters.means)[0] for each in (single, double)
    ]
    torch.testing.assert_close(*shift, rtol=1e-5, atol=1e-5)
    scatters = [
        covariance.estimate(each.counts, each.first / each.counts[..., None], each.second, 0.0)
        for each in (single, double)
    ]
    torch.testing.assert_close(*scatters, rtol=1e-5, atol=1e-5)
    loss = (single.log_density - double.log_density).abs() / N / D
    assert float(loss) < 1e-7 + 1e-9 * spread


@pytest.mark.parametrize("spread", [0, 3, 30, 300])
def test_scores_lose_what_is_stated_and_no_more(spread):
    columns, parameters = far_mixture(spread)
    x = columns.T.contiguous().float()
    found = log_density(x, parameters, COVARIANCES["full"])
    expected = log_density(x.double(), parameters, COVARIANCES["full"])
    error = (found.double() - expected) / D
    stated = 5e-6 if spread**2 < ways.FLOAT32_REACH else 2e-8 * (spread + 10)
    assert float(error.square().mean().sqrt()) < stated
