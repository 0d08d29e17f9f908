import math

import numpy as np
import pytest
import torch

from gmm.candidates import cut_folds, fit_all
from gmm.em import initialization
from gmm.estimator import GaussianMixture
from gmm.samples.in_memory import InMemory
from gmm.selection import sweep


def test_collapsed_candidates_lose_and_do_not_end_the_sweep():
    x = np.repeat([[0.0], [1.0]], 20, axis=0) + np.linspace(0, 1e-3, 40)[:, None]
    x[20:] = 1.0
    result = sweep(x, [1, 2], ["full"], n_init=2, reg_covar=0.0)
    assert result.best.n_components == 1
    assert math.isinf(result.rows[1].bic)
    assert result.rows[1].n_failed == 2
    assert "collapsed" in str(result)


def test_held_out_samples_are_scored_by_fits_to_the_others(easy):
    result = sweep(easy, [2, 3], ["diag"], n_init=2, n_folds=3, seed=4)
    parts = np.array_split(torch.randperm(300, generator=torch.Generator().manual_seed(4)), 3)
    settings = {"covariance_type": "diag", "n_init": 2, "random_state": 4}
    for row in result.rows:
        deviance = 0.0
        for part in parts:
            mixture = GaussianMixture(row.n_components, **settings)
            mixture.fit(np.delete(easy, part, axis=0))
            deviance -= 2 * mixture.score_samples(easy[part]).sum()
        assert row.held_out == pytest.approx(deviance, rel=1e-9)


@pytest.mark.parametrize("weights", [None, torch.arange(23).double()])
def test_folds_hold_every_sample_out_once_with_its_weight(weights):
    x = torch.arange(23.0).double()[:, None]
    folds = cut_folds(InMemory(x, weights), 4, seed=5)
    held_out = torch.cat([others.x for _, others in folds])
    assert torch.equal(held_out.sort(0).values, x)
    for fitted_to, others in folds:
        assert torch.equal(torch.cat([fitted_to.x, others.x]).sort(0).values, x)
        if weights is not None:
            assert torch.equal(others.weights, others.x[:, 0])


def test_mixtures_of_as_many_components_start_from_the_same_clusters(easy, monkeypatch):
    started = []
    start = initialization.start

    def spy(samples, n_components, *rest):
        started.append(n_components)
        return start(samples, n_components, *rest)

    monkeypatch.setattr(initialization, "start", spy)
    mixtures = [
        GaussianMixture(k, covariance_type=name, random_state=0)
        for k in (2, 3)
        for name in ("full", "diag")
    ]
    runs = fit_all(InMemory(torch.from_numpy(easy)), mixtures, ["kmeans"])
    assert started == [2, 3]
    for mixture, fitted in zip(mixtures, runs, strict=True):
        alone = mixture.fit(easy).lower_bound_
        assert fitted.best().lower_bound == pytest.approx(alone, abs=1e-12)
