import math

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.mixture import GaussianMixture as Reference

from gmm.selection import sweep

TYPES = ("full", "tied", "diag", "spherical")


@pytest.fixture(scope="module")
def easy() -> np.ndarray:
    """Three round clusters of different size, far apart."""
    centres = [[0, 0], [12, 12], [24, -3]]
    return make_blobs(300, centers=centres, cluster_std=[1, 1.4, 0.6], random_state=0)[0]


@pytest.fixture(scope="module")
def found(easy):
    return sweep(easy, range(1, 6), TYPES, n_init=3)


def test_the_winner_and_its_bic_are_those_of_a_loop_over_scikit_learn(easy, found):
    bics = {
        (k, name): Reference(k, covariance_type=name, n_init=3, random_state=0).fit(easy).bic(easy)
        for k in range(1, 6)
        for name in TYPES
    }
    best = min(bics, key=bics.__getitem__)
    assert (found.best.n_components, found.best.covariance_type) == best
    assert found.best.bic == pytest.approx(bics[best], abs=0.1)


def test_the_winner_is_fitted_and_agrees_with_its_row(easy, found):
    assert found.winner.n_components == found.best.n_components == 3
    assert found.winner.bic(easy) == pytest.approx(found.best.bic, abs=1e-8)
    assert found.winner.aic(easy) == pytest.approx(found.best.aic, abs=1e-8)
    assert found.winner.n_iter_ == found.best.n_iter


def test_a_candidate_is_the_estimators_fit_of_the_same_seed(easy, found):
    row = next(r for r in found.rows if (r.n_components, r.covariance_type) == (4, "tied"))
    settings = {**found.winner.get_params(), "n_components": 4, "covariance_type": "tied"}
    alone = type(found.winner)(**settings).fit(easy)
    assert alone.lower_bound_ == pytest.approx(row.lower_bound, abs=1e-12)
    assert alone.n_iter_ == row.n_iter


def test_every_pair_has_a_row_and_the_table_marks_the_best(found):
    assert len(found.rows) == 20
    assert len({(row.n_components, row.covariance_type) for row in found.rows}) == 20
    assert str(found).count("*") == 1
    assert f"best BIC {found.best.bic:.1f}: 3 components" in str(found)
    assert len(found.csv().splitlines()) == 21


def test_collapsed_candidates_lose_and_do_not_end_the_sweep():
    x = np.repeat([[0.0], [1.0]], 20, axis=0) + np.linspace(0, 1e-3, 40)[:, None]
    x[20:] = 1.0
    found = sweep(x, [1, 2], ["full"], n_init=2, reg_covar=0.0)
    assert found.best.n_components == 1
    assert math.isinf(found.rows[1].bic)
    assert found.rows[1].n_failed == 2
    assert "collapsed" in str(found)


def test_tensors_give_a_winner_of_tensors(easy):
    winner = sweep(torch.from_numpy(easy), [2], ["diag"], n_init=1).winner
    assert isinstance(winner.means_, torch.Tensor)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"criterion": "icl"}, "criterion='icl', expected one of bic, aic"),
        ({"n_components": []}, "leave nothing to fit"),
        ({"n_components": [301]}, "n_components=301 needs"),
        ({"covariance_types": ["round"]}, "covariance_type='round'"),
    ],
)
def test_what_cannot_be_swept_is_named(easy, arguments, message):
    with pytest.raises(ValueError, match=message):
        sweep(easy, **arguments)
