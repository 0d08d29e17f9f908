import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture as Reference

from gmm.covariance import COVARIANCES
from gmm.em import initialization, loop
from gmm.em.likelihood import Likelihood
from gmm.em.parameters import Parameters
from gmm.samples.in_memory import InMemory


def started(x, covariance, seeds, method="kmeans", k=3, reg_covar=1e-6):
    samples, objective = InMemory(x), Likelihood(covariance, reg_covar)
    return initialization.start(samples, k, method, seeds).parameters(samples, objective)


def run(x, start, valid, covariance, *, reg_covar=1e-6, tol=1e-3, max_iter=100):
    objective = Likelihood(covariance, reg_covar)
    return loop.run(InMemory(x), start, valid, objective, tol=tol, max_iter=max_iter)


def reference_from(resp, x, **settings):
    """scikit-learn's fit that begins with the given responsibilities."""

    class FromResponsibilities(Reference):
        def _initialize_parameters(self, X, random_state, **others):
            self._initialize(X, resp)

    return FromResponsibilities(resp.shape[1], **settings).fit(x)


def test_from_the_same_responsibilities_bound_and_iterations_are_scikit_learns(
    covariance_type, blobs, soft_responsibilities
):
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    start = initialization.from_responsibilities(
        InMemory(x), [soft_responsibilities], len(x), Likelihood(covariance, 1e-6)
    )
    runs = run(x, *start, covariance, tol=1e-5, max_iter=500)
    assert runs.converged.all()
    for index, resp in enumerate(soft_responsibilities):
        reference = reference_from(
            resp.T.numpy().copy(), blobs, covariance_type=covariance_type, tol=1e-5, max_iter=500
        )
        history = runs.history[index][~runs.history[index].isnan()]
        assert abs(float(runs.lower_bound[index]) - reference.lower_bound_) < 1e-9
        assert len(history) == reference.n_iter_
        np.testing.assert_allclose(history, reference.lower_bounds_, atol=1e-9)
        np.testing.assert_allclose(runs.parameters.means[index], reference.means_, atol=1e-7)


def test_a_batch_of_runs_equals_the_runs_one_by_one(covariance_type, blobs):
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    seeds = [0, 1, 2, 3]
    batch = run(x, *started(x, covariance, seeds, "random"), covariance, max_iter=60)
    for index, seed in enumerate(seeds):
        alone = run(x, *started(x, covariance, [seed], "random"), covariance, max_iter=60)
        mine = batch.history[index][~batch.history[index].isnan()]
        assert len(mine) == alone.history.shape[1]
        exactly = {"rtol": 1e-12, "atol": 1e-12}
        torch.testing.assert_close(batch.lower_bound[index], alone.lower_bound[0], **exactly)
        torch.testing.assert_close(
            batch.parameters.means[index], alone.parameters.means[0], **exactly
        )


@pytest.mark.parametrize("method", ["kmeans", "random", "k-means++"])
def test_the_lower_bound_never_decreases(covariance_type, blobs, method):
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    # Without a regulariser, since it is no part of the likelihood that EM climbs.
    start = started(x, covariance, range(5), method, reg_covar=0.1)
    runs = run(x, *start, covariance, reg_covar=0.0, tol=1e-8, max_iter=200)
    steps = runs.history[~runs.failed].diff(dim=1)
    assert (steps[~steps.isnan()] > -1e-12).all()
    assert (~runs.failed).any()


def test_permuting_samples_and_features_permutes_the_mixture(covariance_type, blobs):
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    start, valid = started(x, covariance, [0])
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    plain = run(x, start, valid, covariance, max_iter=20)
    shuffled = run(x[rows], start, valid, covariance, max_iter=20)
    torch.testing.assert_close(plain.parameters.means, shuffled.parameters.means)
    order = [2, 0, 3, 1]
    columns = x[:, order]
    labels = initialization.start(InMemory(x), 3, "kmeans", [0])
    begun = labels.parameters(InMemory(columns), Likelihood(covariance, 1e-6))
    turned = run(columns, *begun, covariance, max_iter=20)
    torch.testing.assert_close(turned.parameters.means, plain.parameters.means[..., order])
    torch.testing.assert_close(turned.lower_bound, plain.lower_bound)


def test_translating_the_samples_translates_the_means(covariance_type, blobs):
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    offset = torch.tensor([1e3, -1e4, 5.0, 1e5], dtype=torch.float64)
    start, valid = started(x, covariance, [0, 1])
    here = run(x, start, valid, covariance, max_iter=20)
    there = run(x + offset, start.translate(offset), valid, covariance, max_iter=20)
    torch.testing.assert_close(there.lower_bound, here.lower_bound, rtol=0, atol=1e-9)
    torch.testing.assert_close(there.parameters.means, here.parameters.means + offset)


def test_float32_far_from_the_origin_finds_what_float64_finds_at_it(covariance_type, blobs):
    covariance = COVARIANCES[covariance_type]
    x = torch.from_numpy((blobs - blobs.mean(0)) / blobs.std(0))
    there = (x + 1000).float()
    start, valid = started(x, covariance, [0])
    exact = run(x, start, valid, covariance, max_iter=30, tol=0.0)
    moved = start.translate(torch.full((4,), 1000.0, dtype=torch.float64))
    found = run(there, moved, valid, covariance, max_iter=30, tol=0.0)
    torch.testing.assert_close(found.lower_bound, exact.lower_bound, rtol=0, atol=1e-4)


def test_the_bound_of_float32_samples_is_that_of_float64_ones(covariance_type, blobs):
    covariance = COVARIANCES[covariance_type]
    x = torch.from_numpy(blobs).float()
    start, valid = started(x.double(), covariance, [0, 1])
    single = run(x, start, valid, covariance, max_iter=20, tol=0.0)
    double = run(x.double(), start, valid, covariance, max_iter=20, tol=0.0)
    torch.testing.assert_close(single.history, double.history, rtol=0, atol=1e-6)


def test_a_collapsing_run_loses_to_its_siblings(blobs):
    covariance, x = COVARIANCES["full"], torch.from_numpy(blobs)
    start, valid = started(x, covariance, [0, 1])
    # The first run's first component is so far and narrow that no sample belongs to it.
    narrow = start.precisions_cholesky.clone()
    narrow[0, 0] *= 1e3
    means = start.means.clone()
    means[0, 0] += 100
    spoilt = Parameters(start.weights, means, narrow)
    runs = run(x, spoilt, valid, covariance, reg_covar=0.0)
    assert runs.failed.tolist() == [True, False]
    assert runs.lower_bound[0] == -torch.inf
    alone = run(x, start.select(torch.tensor([1])), valid[1:], covariance, reg_covar=0.0)
    assert runs.best().lower_bound == pytest.approx(alone.best().lower_bound, abs=1e-12)


def test_when_every_run_collapses_the_error_names_reg_covar(covariance_type):
    covariance, x = COVARIANCES[covariance_type], torch.ones(20, 3, dtype=torch.float64)
    start = started(x, covariance, [0, 1], "random", k=2, reg_covar=0.0)
    with pytest.raises(ValueError, match=r"all 2 runs .*reg_covar"):
        run(x, *start, covariance, reg_covar=0.0).best()


def test_no_iterations_leave_the_start(blobs):
    covariance, x = COVARIANCES["tied"], torch.from_numpy(blobs)
    start, valid = started(x, covariance, [0])
    best = run(x, start, valid, covariance, max_iter=0).best()
    torch.testing.assert_close(best.parameters.means, start.means)
    assert best.n_iter == 0
    assert not best.converged
