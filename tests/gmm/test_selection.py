import math
import warnings

import numpy as np
import pytest
import scipy.special
import torch
from sklearn.mixture import GaussianMixture as Reference

from gmm.estimator import GaussianMixture
from gmm.selection import sweep

TYPES = ("full", "tied", "diag", "spherical")


@pytest.fixture(scope="module")
def swept(easy):
    return sweep(easy, range(1, 6), TYPES, n_init=3)


def test_the_winner_and_its_bic_are_those_of_a_loop_over_scikit_learn(easy, swept):
    bics = {
        (k, name): Reference(k, covariance_type=name, n_init=3, random_state=0).fit(easy).bic(easy)
        for k in range(1, 6)
        for name in TYPES
    }
    best = min(bics, key=bics.__getitem__)
    assert (swept.best.n_components, swept.best.covariance_type) == best
    assert swept.best.bic == pytest.approx(bics[best], abs=0.1)


def test_the_winner_is_fitted_and_agrees_with_its_row(easy, swept):
    assert swept.winner.n_components == swept.best.n_components == 3
    assert swept.winner.bic(easy) == pytest.approx(swept.best.bic, abs=1e-8)
    assert swept.winner.aic(easy) == pytest.approx(swept.best.aic, abs=1e-8)
    assert swept.winner.n_iter_ == swept.best.n_iter


def test_a_candidate_is_the_estimators_fit_of_the_same_seed(easy, swept):
    row = next(r for r in swept.rows if (r.n_components, r.covariance_type) == (4, "tied"))
    settings = {**swept.winner.get_params(), "n_components": 4, "covariance_type": "tied"}
    alone = type(swept.winner)(**settings).fit(easy)
    assert alone.lower_bound_ == pytest.approx(row.lower_bound, abs=1e-12)
    assert alone.n_iter_ == row.n_iter


def test_every_pair_has_a_row_and_the_table_marks_the_best(swept):
    assert len(swept.rows) == 20
    assert len({(row.n_components, row.covariance_type) for row in swept.rows}) == 20
    assert str(swept).count("*") == 1
    assert f"best BIC {swept.best.bic:.1f}: 3 components" in str(swept)
    assert len(swept.csv().splitlines()) == 21


def test_tensors_give_a_winner_of_tensors(easy):
    winner = sweep(torch.from_numpy(easy), [2], ["diag"], n_init=1).winner
    assert isinstance(winner.means_, torch.Tensor)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"criterion": "dic"}, "criterion='dic', expected one of bic, aic, icl, held_out"),
        ({"n_folds": 1}, "n_folds=1, expected 2 to 300"),
        ({"n_components": []}, "leave nothing to fit"),
        ({"n_components": [301]}, "n_components=301 needs"),
        ({"covariance_types": ["round"]}, "covariance_type='round'"),
    ],
)
def test_what_cannot_be_swept_is_named(easy, arguments, message):
    with pytest.raises(ValueError, match=message):
        sweep(easy, **arguments)


def test_icl_adds_the_entropy_of_the_winners_probabilities(easy, swept):
    resp = swept.winner.predict_proba(easy)
    entropy = scipy.special.entr(resp).sum()
    assert swept.best.icl == pytest.approx(swept.best.bic + 2 * entropy, abs=1e-6)


def test_held_out_samples_choose_without_being_asked_for_folds(easy):
    found = sweep(easy, [1, 3], ["spherical"], n_init=1, criterion="held_out")
    assert found.best.n_components == 3
    assert math.isfinite(found.best.held_out)


def test_a_sweep_of_weighted_samples_is_that_of_repeated_ones(easy):
    counts = np.arange(300) % 3
    weighted = sweep(easy, [2, 3], ["full"], n_init=2, sample_weight=counts)
    repeated = sweep(easy.repeat(counts, axis=0), [2, 3], ["full"], n_init=2)
    for left, right in zip(weighted.rows, repeated.rows, strict=True):
        assert left.bic == pytest.approx(right.bic, rel=1e-10)
        assert left.icl == pytest.approx(right.icl, rel=1e-10)


def test_fewer_samples_than_free_dimensions_are_warned_of_once(easy):
    wide = np.random.default_rng(0).normal(size=(40, 8))
    with pytest.warns(UserWarning, match="2 full components have 44 free .* 20.0 of 40") as caught:
        sweep(wide, [1, 2], ["full", "diag"], n_init=1)
    assert len([warning for warning in caught if "free" in str(warning.message)]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sweep(wide, [1, 2], ["diag"], n_init=1)


def test_missing_values_are_refused_unless_declared(holed):
    with pytest.raises(ValueError, match=r"x\[0, 0\] is NaN"):
        sweep(holed, [1])


def test_criteria_are_of_the_known_values(holed):
    settings = {"n_init": 2, "init_params": ["kmeans"], "missing": "marginalize", "rank": 2}
    swept = sweep(holed, [1, 2], ("full", "low_rank"), n_folds=3, **settings)
    for row in swept.rows:
        fitted = GaussianMixture(
            row.n_components,
            covariance_type=row.covariance_type,
            n_init=2,
            random_state=0,
            missing="marginalize",
            rank=2,
        ).fit(holed)
        assert row.bic == pytest.approx(fitted.bic(holed), rel=1e-9)
        entropies = scipy.special.entr(fitted.predict_proba(holed)).sum()
        assert row.icl == pytest.approx(row.bic + 2 * entropies, rel=1e-9)
        assert np.isfinite(row.held_out)
    assert np.isfinite(swept.winner.score_samples(holed)).all()


def test_weights_of_samples_with_missing_values_repeat_them(holed):
    counts = np.random.default_rng(0).integers(1, 3, len(holed))
    settings = {"n_init": 1, "missing": "marginalize", "init_params": ["kmeans"]}
    weighted = sweep(holed, [1], ("full", "diag"), sample_weight=counts, **settings)
    repeated = sweep(np.repeat(holed, counts, 0), [1], ("full", "diag"), **settings)
    for row, expected in zip(weighted.rows, repeated.rows, strict=True):
        assert row.bic == pytest.approx(expected.bic, rel=1e-9)


def clusters_of_any_scale(seed):
    """Clusters of their own shapes, every second time with a feature a thousand times as wide."""
    random = np.random.default_rng(seed)
    d, k, n = (int(random.integers(*ends)) for ends in ((2, 7), (2, 6), (100, 400)))
    means = random.normal(size=(k, d)) * random.uniform(1, 5)
    shapes = random.normal(size=(k, d, d)) * 0.4 + np.eye(d)
    component = random.integers(0, k, n)
    x = means[component] + (shapes[component] @ random.normal(size=(n, d, 1)))[..., 0]
    if seed % 4 == 1:
        x[:, -1] *= 1e3
    elif seed % 4 == 3:
        x[:, -1] = random.uniform(0, 1e4, n)
    return x, k, TYPES[seed // 4 % 4]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_starts_are_not_worse_than_as_many_of_scikit_learn_and_better_for_wide_features():
    gains = []
    for seed in range(48):
        x, k, kind = clusters_of_any_scale(seed)
        reference = Reference(k, covariance_type=kind, n_init=10, random_state=0).fit(x)
        (row,) = sweep(x, [k], [kind]).rows
        gains.append(row.lower_bound - reference.lower_bound_)
    assert min(gains) > -0.05
    assert (np.array(gains[1::2]) > 0.01).mean() > 0.25
    assert np.mean(gains) > 0.05
