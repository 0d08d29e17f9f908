"""Conformal sets."""

from math import floor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t

from cellxai.evaluation.conformal import (
    ConformalClassifier,
    least_calibration_images,
    measure_coverage,
    nonconformity,
    rank_p_values,
)
from cellxai.intervals import interval_of_share, share_interval


def draw(seed: int, n: int, k: int = 3):
    """Logits, and labels drawn from another network's softmax, so that the network is wrong."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, k, generator=generator)
    truth = logits / 4 + torch.randn(n, k, generator=generator)
    return logits, torch.multinomial(truth.softmax(-1), 1, generator=generator)[:, 0]


@given(st.integers(0, 500), st.sampled_from([0.04, 0.1, 0.25, 0.5]), st.integers(3, 60))
@settings(max_examples=40, deadline=None)
def test_each_image_left_out_in_turn_is_covered_exactly_as_often_as_ranks_say(seed, rate, n):
    # Over all ways to leave one of n + 1 images out, the share covered is 1 − floor(α (n+1))/(n+1).
    logits, labels = draw(seed, n + 1)
    covered = 0
    for i in range(n + 1):
        rest = torch.arange(n + 1) != i
        sets = ConformalClassifier.calibrate(logits[rest], labels[rest], rate).sets(
            logits[i : i + 1]
        )
        covered += int(sets[0, labels[i]])
    assert covered == n + 1 - floor(rate * (n + 1) + 1e-9)


def test_p_values_by_class_count_the_images_of_that_class_alone():
    logits, labels = draw(3, 50)
    new, _ = draw(4, 7)
    classifier = ConformalClassifier.calibrate(logits, labels, by_class=True)
    found = classifier.p_values(new)
    scores, calibration = nonconformity(new).numpy(), classifier.nonconformity.numpy()
    for i in range(7):
        for c in range(3):
            own = calibration[labels.numpy() == c]
            assert found[i, c] == (1 + (own >= scores[i, c]).sum()) / (1 + len(own))


def test_ties_count_against_the_image():
    calibration = torch.tensor([0.5, 0.5, 0.5, 0.9], dtype=torch.float64)
    assert rank_p_values(torch.tensor([0.5]).double(), calibration).item() == 1.0
    assert rank_p_values(torch.tensor([0.9]).double(), calibration).item() == 2 / 5
    assert rank_p_values(torch.tensor([0.91]).double(), calibration).item() == 1 / 5


def test_an_image_without_finite_logits_may_be_anything():
    logits, labels = draw(0, 40)
    sets = ConformalClassifier.calibrate(logits, labels).sets(torch.full((1, 3), torch.nan))
    assert sets.all()


def test_a_network_that_is_sure_everywhere_keeps_the_order_of_its_doubts():
    # In float32, 1 − softmax is 0 for all of these.
    logits = torch.tensor([[40.0, 0.0], [45.0, 0.0], [50.0, 0.0]])
    scores = nonconformity(logits)[:, 0]
    assert (scores.diff() < 0).all()
    assert (scores > 0).all()
    np.testing.assert_allclose(scores, np.exp(-logits[:, 0].double().numpy()), rtol=1e-12)


@pytest.mark.parametrize("rate", [0.01, 0.04, 0.05, 0.1, 0.3, 0.5, 0.9])
def test_one_image_fewer_than_needed_and_every_set_holds_every_class(rate):
    n_needed = least_calibration_images(rate)
    generator = torch.Generator().manual_seed(0)
    worst = torch.tensor([[-50.0, 50.0]])
    for n, left_out in ((n_needed, True), (n_needed - 1, False)):
        if n < 1:
            continue
        logits = torch.stack([torch.full((n,), 5.0), torch.randn(n, generator=generator)], 1)
        classifier = ConformalClassifier.calibrate(logits, torch.zeros(n, dtype=torch.long), rate)
        assert bool(classifier.sets(worst)[0, 0]) is not left_out
        assert (classifier.unresolved(["a", "b"]) is None) is left_out


def test_too_few_images_of_a_class_are_named():
    logits, labels = draw(0, 40)
    labels[labels == 2] = 1
    reason = ConformalClassifier.calibrate(logits, labels, by_class=True).unresolved("abc")
    assert reason is not None
    assert "0 c calibration images" in reason
    assert "at least 9" in reason


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan")])
def test_an_error_rate_outside_of_0_and_1_is_refused(rate):
    with pytest.raises(ValueError, match="error_rate="):
        ConformalClassifier.calibrate(*draw(0, 20), rate)


def test_calibration_logits_that_are_not_finite_are_refused():
    logits, labels = draw(0, 20)
    logits[3] = torch.nan
    with pytest.raises(ValueError, match="1 of 20 calibration images"):
        ConformalClassifier.calibrate(logits, labels)


def test_coverage_counts_what_sets_hold():
    sets = torch.tensor([[True, False], [True, True], [False, False]])
    coverage = measure_coverage(sets, torch.tensor([0, 1, 1]), np.arange(3))
    assert (coverage.n_covered, coverage.n_empty, coverage.mean_size) == (2, 1, 1.0)
    assert coverage.interval == share_interval(2, 3)


def test_the_interval_of_the_coverage_counts_groups_and_not_their_images():
    covered = torch.tensor([True] * 30 + [False] * 10)
    sets, labels = torch.stack([covered, ~covered], 1), torch.zeros(40, dtype=torch.int64)
    groups = np.arange(40) // 10  # three that are covered and one that is not
    alone = measure_coverage(sets, labels, np.arange(40)).interval
    grouped = measure_coverage(sets, labels, groups).interval
    assert alone == share_interval(30, 40)
    few_groups = (norm.ppf(0.975) / t(df=3).ppf(0.975)) ** 2  # say little of their variance
    assert grouped == pytest.approx(interval_of_share(0.75, 3 * few_groups))
    assert measure_coverage(sets[:0], labels[:0], groups[:0]).interval is None


def test_sets_equal_those_of_a_conformal_library():
    mapie = pytest.importorskip(
        "mapie.classification", reason="needs mapie, a judge in tests alone"
    )
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Softmax(ClassifierMixin, BaseEstimator):
        """A classifier whose rows are logits already."""

        classes_ = np.arange(3)

        def fit(self, X, y):
            return self

        def __sklearn_is_fitted__(self):
            return True

        def predict_proba(self, X):
            return torch.from_numpy(X).softmax(-1).numpy()

        def predict(self, X):
            return X.argmax(-1)

    logits, labels = draw(11, 57)
    new, _ = draw(12, 400)
    judge = mapie.SplitConformalClassifier(
        Softmax(), confidence_level=0.9, conformity_score="lac", prefit=True
    ).conformalize(logits.double().numpy(), labels.numpy())
    _, expected = judge.predict_set(new.double().numpy())
    found = ConformalClassifier.calibrate(logits, labels, 0.1).sets(new)
    np.testing.assert_array_equal(found.numpy(), expected[:, :, 0])
