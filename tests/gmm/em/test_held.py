"""Fits with some parameters held, against a loop over samples in 60 digits, and invariants."""

import numpy as np
import pytest
from exact_em import exact_bounds

from gmm import GaussianMixture

K = 3
EYE = np.eye(4)
NAMES = ("weights", "means", "covariances")
MASKS = {
    "a component": {f"fixed_{name}": [True, False, False] for name in NAMES},
    "weights": {"fixed_weights": [True, True, False]},
    "means": {"fixed_means": [True, False, True]},
    "covariances": {"fixed_covariances": [False, True, True]},
    "all weights and means": {"fixed_weights": [True] * K, "fixed_means": [True] * K},
    "all covariances": {"fixed_covariances": [True] * K},
}  # fmt: skip


def settings(covariance_type, masks, x):
    precisions = {
        "full": np.stack([np.diag(1 / x.var(0)) * share for share in (1, 2, 3)]),
        "tied": np.diag(1 / x.var(0)),
        "diag": np.stack([1 / x.var(0) * share for share in (1, 2, 3)]),
        "spherical": np.array([1.0, 2.0, 3.0]) / x.var(),
    }[covariance_type]
    if covariance_type == "tied" and not all(masks.get("fixed_covariances", [True])):
        masks = {name: mask for name, mask in masks.items() if name != "fixed_covariances"}
    return {
        "covariance_type": covariance_type,
        "weights_init": np.array([0.5, 0.3, 0.2]),
        "means_init": x[:K] + 0.5,
        "precisions_init": precisions,
        "reg_covar": 1e-4,
        "tol": 0.0,
        "max_iter": 8,
        **masks,
    }


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_bounds_are_those_of_a_slow_loop_that_holds_the_same(covariance_type, masks, blobs):
    x = blobs[::15, :2]
    given = settings(covariance_type, MASKS[masks], x)
    weights = np.arange(len(x)) % 3 + 0.5
    fitted = GaussianMixture(K, **given).fit(x, sample_weight=weights)
    np.testing.assert_allclose(fitted.lower_bounds_, exact_bounds(x, given, weights), rtol=1e-11)


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_held_keeps_its_value_and_the_bound_rises(covariance_type, masks, blobs):
    apart = blobs[::140]
    given = settings(covariance_type, MASKS[masks], apart) | {"reg_covar": 0.0, "max_iter": 30}
    fitted = GaussianMixture(K, **given).fit(blobs)
    assert (np.diff(fitted.lower_bounds_) >= -1e-12).all()  # rounding of bounds of tens of nats
    pairs = {"weights": "weights_init", "means": "means_init", "covariances": "precisions_init"}
    learned = {
        "covariances": fitted.precisions_,
        "weights": fitted.weights_,
        "means": fitted.means_,
    }
    for name, initial in pairs.items():
        mask = np.array(given.get(f"fixed_{name}", [False] * K))
        if covariance_type == "tied" and name == "covariances":
            mask = mask[:1]
        values = learned[name].reshape(len(mask), -1)
        start = given[initial].reshape(len(mask), -1)
        np.testing.assert_allclose(values[mask], start[mask], rtol=1e-12, atol=1e-12)
        if not mask.all() and not (name == "weights" and mask.sum() == K - 1):
            assert (np.abs(values[~mask] - start[~mask]).max(1) > 1e-6).all()
    assert fitted.weights_.sum() == pytest.approx(1)


def test_parameters_that_are_held_are_not_counted(covariance_type, blobs):
    free = GaussianMixture(
        K, covariance_type=covariance_type, random_state=0, tol=1e-9, max_iter=999
    )
    free.fit(blobs)
    learned = free.weights_, free.means_, free.precisions_
    start = dict(zip(("weights_init", "means_init", "precisions_init"), learned, strict=True))
    held = {f"fixed_{name}": [True] * K for name in NAMES}
    kept = GaussianMixture(K, covariance_type=covariance_type, **start, **held).fit(blobs)
    assert kept.bic(blobs) == pytest.approx(-2 * kept.score(blobs) * len(blobs))
    one = GaussianMixture(
        K, covariance_type=covariance_type, **start, fixed_means=[True, False, False]
    ).fit(blobs)
    difference = free.aic(blobs) - 2 * 4 - one.aic(blobs)
    assert difference == pytest.approx(0, abs=1e-2)


def test_a_background_that_is_known_leaves_the_rest_to_the_others(blobs):
    random = np.random.default_rng(0)
    x = np.r_[random.normal(size=(900, 2)), random.normal([3, 0], 0.3, (100, 2))]
    settings = {
        "means_init": [[0, 0], [2, 1]], "weights_init": [0.5, 0.5],
        "precisions_init": np.stack([np.eye(2)] * 2),
    }  # fmt: skip
    fixed = {"fixed_means": [True, False], "fixed_covariances": [True, False]}
    fitted = GaussianMixture(2, **settings, **fixed).fit(x)
    np.testing.assert_array_equal(fitted.means_[0], [0, 0])
    np.testing.assert_allclose(fitted.means_[1], [3, 0], atol=0.15)
    np.testing.assert_allclose(fitted.weights_, [0.9, 0.1], atol=0.03)


def test_missing_values_chunks_and_batches_hold_too(blobs):
    given = settings("full", MASKS["a component"], blobs) | {"tol": 1e-3, "max_iter": 50}
    whole = GaussianMixture(K, **given).fit(blobs)
    parts = GaussianMixture(K, **given).fit([blobs[:200], blobs[200:]])
    assert parts.lower_bound_ == pytest.approx(whole.lower_bound_, rel=1e-9)
    parts.partial_fit(blobs[:100])
    x = blobs.copy()
    x[::5, 1] = np.nan
    for mixture in (whole, parts, GaussianMixture(K, missing="marginalize", **given).fit(x)):
        np.testing.assert_allclose(mixture.means_[0], given["means_init"][0], rtol=1e-12)
        np.testing.assert_allclose(mixture.precisions_[0], given["precisions_init"][0], rtol=1e-12)
        assert mixture.weights_[0] == pytest.approx(0.5)


REFUSED = {
    "no values": ({"fixed_means": [True, False]}, "fixed_means keeps what means_init gives.* None"),
    "one for all": ({"fixed_means": True}, r"fixed_means=True, expected n_components=2 times"),
    "numbers": ({"fixed_weights": [0, 1]}, r"fixed_weights=\[0, 1\], expected n_components=2"),
    "too many": ({"fixed_weights": [True] * 3}, r"expected n_components=2 times True or False"),
    "one of a shared": (
        {"covariance_type": "tied", "fixed_covariances": [True, False], "precisions_init": EYE},
        r"fixed_covariances=\[True, False\] with covariance_type='tied', expected all True or None",
    ),
    "loadings": (
        {"fixed_weights": [True, False], "covariance_type": "low_rank", "weights_init": [0.5, 0.5]},
        "fixed_weights with covariance_type='low_rank', expected one of full",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", REFUSED)
def test_what_cannot_be_held_is_refused_in_one_line(mistake, blobs):
    given, message = REFUSED[mistake]
    with pytest.raises(ValueError, match=message) as raised:
        GaussianMixture(2, **given).fit(blobs)
    assert "\n" not in str(raised.value)
