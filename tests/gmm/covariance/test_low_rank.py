import numpy as np
import pytest
import torch
from sklearn.decomposition import FactorAnalysis
from torch.distributions import LowRankMultivariateNormal
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from gmm.covariance import COVARIANCES
from gmm.covariance.low_rank import LowRank
from gmm.em import initialization, log_density, loop
from gmm.em.likelihood import Likelihood
from gmm.em.parameters import Parameters
from gmm.estimator import GaussianMixture
from gmm.persistence.saving import load, save
from gmm.samples.in_memory import InMemory

K, D, Q = 3, 6, 2
EXACTLY = {"rtol": 1e-10, "atol": 1e-10}


@pytest.fixture
def chol():
    """Random loadings and noise variances of two runs."""
    source = torch.Generator().manual_seed(1)
    values = torch.randn(2, K, D, Q + 1, dtype=torch.float64, generator=source)
    return torch.cat([values[..., :-1], values[..., -1:].abs() + 0.1], -1)


def planted(n_samples, n_features=12, seed=0):
    """Samples of two factor analysers of rank 2, and their covariances."""
    random = np.random.default_rng(seed)
    loadings = random.normal(size=(2, n_features, 2))
    noise = random.uniform(0.2, 1.0, size=(2, n_features))
    parts = [
        random.normal(size=(n_samples // 2, 2)) @ loadings[k].T
        + random.normal(size=(n_samples // 2, n_features)) * np.sqrt(noise[k])
        + 4 * k
        for k in range(2)
    ]
    return np.concatenate(parts), loadings @ loadings.mT + noise[..., None] * np.eye(n_features)


def fitted(x, rank, seeds, method="kmeans", k=2, reg_covar=1e-6, **settings):
    samples, objective = InMemory(x), Likelihood(LowRank(rank), reg_covar)
    start = initialization.start(samples, k, method, seeds).parameters(samples, objective)
    return loop.run(samples, *start, objective, **settings)


def test_log_densities_are_those_of_torch_distributions(chol):
    means = torch.randn(2, K, D, dtype=torch.float64)
    weights = torch.full((2, K), 1 / K, dtype=torch.float64)
    x = torch.randn(20, D, dtype=torch.float64)
    normal = LowRankMultivariateNormal(means, chol[..., :-1], chol[..., -1])
    expected = (weights.log() + normal.log_prob(x[:, None, None])).logsumexp(-1).T
    found = log_density.log_density(x, Parameters(weights, means, chol), LowRank(Q))
    torch.testing.assert_close(found, expected, **EXACTLY)


def test_precision_products_and_determinants_are_those_of_the_matrices(chol):
    covariance = LowRank(Q)
    dense = covariance.dense(chol, K, D)
    vectors = torch.randn(2, K, D, dtype=torch.float64)
    solved = torch.linalg.solve(dense, vectors[..., None])[..., 0]
    torch.testing.assert_close(covariance.precision_times(chol, vectors), solved, **EXACTLY)
    half = -torch.linalg.slogdet(dense).logabsdet / 2
    torch.testing.assert_close(covariance.log_determinant(chol, D), half, **EXACTLY)


def test_packed_precisions_are_inverses_and_give_the_covariances_back(chol):
    covariance = LowRank(Q)
    packed = covariance.precisions(chol)
    precisions = packed[..., -1].diag_embed() - packed[..., :-1] @ packed[..., :-1].mT
    dense = covariance.dense(chol, K, D)
    eye = torch.eye(D, dtype=torch.float64).expand_as(dense)
    torch.testing.assert_close(precisions @ dense, eye, **EXACTLY)
    again, valid = covariance.factorise_precisions(packed)
    assert valid.all()
    torch.testing.assert_close(covariance.dense(again, K, D), dense, **EXACTLY)


def test_coloured_noise_has_the_covariance(chol):
    covariance = LowRank(Q)
    eye = torch.eye(D, dtype=torch.float64).expand(2, K, D, D)
    factor = covariance.colour(chol, eye)
    torch.testing.assert_close(factor @ factor.mT, covariance.dense(chol, K, D), **EXACTLY)


def test_distances_keep_their_digits_where_loadings_are_large_beside_noise():
    # One feature pair, so that the inverse is known: det = ψ (ψ + w·w).
    wide, noise = 1e5, 1e-4
    chol = torch.tensor([[wide, noise], [wide, noise]], dtype=torch.float64)[None, None]
    along = torch.tensor([wide, wide], dtype=torch.float64)[None, None, :, None]
    found = LowRank(1).squared_distances(chol, along)
    expected = 2 * wide**2 / (noise + 2 * wide**2)
    assert abs(float(found) - expected) < 1e-9


def test_parameters_are_counted_without_rotations_and_never_more_than_in_a_matrix():
    assert LowRank(1).n_parameters(1, 10) == 20
    assert LowRank(3).n_parameters(2, 10) == 2 * (30 - 3 + 10)
    for rank in (9, 10, 50):
        assert LowRank(rank).n_parameters(4, 10) == COVARIANCES["full"].n_parameters(4, 10)


@pytest.mark.parametrize("method", ["kmeans", "random", "k-means++"])
@pytest.mark.parametrize("reg_covar", [0.0, 0.3])
def test_the_lower_bound_never_decreases(blobs, method, reg_covar):
    x = torch.from_numpy(blobs)
    samples, covariance = InMemory(x), LowRank(2)
    start = initialization.start(samples, 3, method, range(4))
    begun = start.parameters(samples, Likelihood(covariance, max(reg_covar, 0.1)))
    objective = Likelihood(covariance, reg_covar)
    runs = loop.run(samples, *begun, objective, tol=1e-9, max_iter=100)
    steps = runs.history[~runs.failed].diff(dim=1)
    if reg_covar:
        steps = steps[:, 1:]  # the start may lie below the least noise
    assert (~runs.failed).any()
    assert (steps[~steps.isnan()] > -1e-11).all()


def test_one_component_reaches_the_likelihood_of_scikit_learns_factor_analysis():
    x, _ = planted(600)
    reference = FactorAnalysis(3, tol=1e-9, max_iter=5000, svd_method="lapack").fit(x)
    runs = fitted(torch.from_numpy(x), 3, [0], k=1, reg_covar=0.0, tol=1e-7, max_iter=1000)
    assert float(runs.lower_bound) == pytest.approx(reference.score(x), abs=1e-4)


def test_a_planted_mixture_of_factor_analysers_is_recovered():
    x, covariances = planted(20000)
    mixture = GaussianMixture(2, covariance_type="low_rank", rank=2, random_state=0, tol=1e-5)
    mixture.fit(x)
    order = mixture.means_.mean(1).argsort()
    spread = np.abs(covariances).max()
    assert np.abs(mixture.covariances_[order] - covariances).max() < 0.06 * spread
    assert np.abs(mixture.means_[order] - [[0.0], [4.0]]).max() < 0.1


@pytest.mark.slow
def test_with_nearly_all_ranks_it_reaches_the_likelihood_of_full(blobs):
    settings = {"tol": 1e-6, "max_iter": 1000, "reg_covar": 0.0}
    full = GaussianMixture(1, **settings).fit(blobs)
    bounds = [
        GaussianMixture(1, covariance_type="low_rank", rank=rank, **settings).fit(blobs)
        .lower_bound_
        for rank in (1, 3)
    ]  # fmt: skip
    assert full.lower_bound_ - 2e-3 < bounds[1] < full.lower_bound_ + 1e-9
    assert bounds[0] < full.lower_bound_ - 0.02


def test_a_batch_of_runs_equals_the_runs_one_by_one(blobs):
    x = torch.from_numpy(blobs)
    batch = fitted(x, 2, [0, 1, 2], "random", max_iter=30)
    for index, seed in enumerate([0, 1, 2]):
        alone = fitted(x, 2, [seed], "random", max_iter=30)
        assert float(batch.lower_bound[index]) == pytest.approx(float(alone.lower_bound), abs=1e-11)


def test_chunks_give_the_same_fit_as_the_whole(blobs, monkeypatch):
    x = torch.from_numpy(blobs)
    whole = fitted(x, 2, [0], max_iter=10)
    monkeypatch.setattr("gmm.em.objective.chunk_size", lambda *_: 7)
    parts = fitted(x, 2, [0], max_iter=10)
    torch.testing.assert_close(parts.parameters.means, whole.parameters.means, **EXACTLY)
    torch.testing.assert_close(parts.lower_bound, whole.lower_bound, **EXACTLY)


def test_a_stream_of_chunks_gives_the_fit_of_the_array(blobs):
    settings = {"covariance_type": "low_rank", "rank": 2, "random_state": 0}
    whole = GaussianMixture(3, **settings).fit(blobs)
    stream = GaussianMixture(3, **settings).fit([blobs[:100], blobs[100:107], blobs[107:]])
    assert stream.n_iter_ == whole.n_iter_
    np.testing.assert_allclose(stream.lower_bounds_, whole.lower_bounds_, rtol=0, atol=1e-9)


class LargestTensor(TorchDispatchMode):
    """Remembers the most elements that any operation has made."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        made = [leaf.numel() for leaf in tree_iter(result) if isinstance(leaf, torch.Tensor)]
        self.elements = max([self.elements, *made])
        return result


def test_more_features_than_samples_are_fitted_without_a_matrix_of_features():
    x, _ = planted(60, n_features=1280)
    mixture = GaussianMixture(2, covariance_type="low_rank", rank=4, random_state=0, max_iter=40)
    with LargestTensor() as largest:
        mixture.set_params(tol=0.1).fit(x)
        scores = mixture.score_samples(x)
        mixture.sample(5)
    assert 60 * 1280 <= largest.elements < 1280**2
    assert np.isfinite(scores).all()
    assert len(set(mixture.predict(x[:30]))) == 1
    assert len(set(mixture.predict(x))) == 2


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_other_units_give_the_same_clusters(scale):
    x, _ = planted(300)
    mixture = GaussianMixture(
        2, covariance_type="low_rank", rank=2, random_state=0, reg_covar="auto"
    )
    assert (mixture.fit_predict(x * scale) == mixture.fit_predict(x)).all()


def test_a_saved_mixture_answers_alike_and_holds_no_matrices(blobs, tmp_path):
    mixture = GaussianMixture(2, covariance_type="low_rank", rank=2, random_state=0).fit(blobs)
    save(mixture, tmp_path / "mixture.safetensors")
    again = load(tmp_path / "mixture.safetensors")
    assert (again.score_samples(blobs) == mixture.score_samples(blobs)).all()
    assert "covariances_" not in vars(again)


def test_a_rank_above_the_features_is_that_of_all_features(blobs):
    mixture = GaussianMixture(2, covariance_type="low_rank", rank=50, random_state=0).fit(blobs)
    assert mixture.loadings_.shape == (2, 4, 4)


def test_what_it_cannot_do_is_refused_in_one_line(blobs):
    with pytest.raises(ValueError, match="rank=0, expected an integer >= 1"):
        GaussianMixture(2, covariance_type="low_rank", rank=0).fit(blobs)
    mixture = GaussianMixture(2, covariance_type="low_rank", random_state=0).fit(blobs)
    with pytest.raises(ValueError, match="partial_fit has no way to learn LowRank"):
        mixture.partial_fit(blobs)
