"""Calibration error and reliability."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import MulticlassCalibrationError

from cellxai.evaluation.calibration import (
    IMAGES_PER_BIN,
    N_BINS,
    equal_mass_bins,
    equal_width_bins,
    reliability,
)


def predictions(seed: int, n: int = 200, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.dirichlet(np.full(k, 0.4), n), random.integers(0, k, n)


def top(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return probabilities.max(1), probabilities.argmax(1) == labels


@given(st.integers(0, 200), st.integers(2, 30))
@settings(max_examples=15, deadline=None)
def test_the_error_in_bins_of_equal_width_is_that_of_torchmetrics(seed, n_bins):
    probabilities, labels = predictions(seed, 60)
    reference = MulticlassCalibrationError(4, n_bins=n_bins, norm="l1")
    expected = reference(torch.from_numpy(probabilities), torch.from_numpy(labels))
    confidence, right = top(probabilities, labels)
    found = reliability(confidence, right, equal_width_bins(confidence, n_bins))
    # torchmetrics sums in float32.
    assert found.error == pytest.approx(float(expected), abs=2e-6)


def test_a_bin_ends_with_its_upper_edge():
    assert equal_width_bins(np.array([1 / 3, 0.5, 1 / 15, 1.0]), 3).tolist() == [0, 1, 0, 2]
    assert equal_width_bins(np.array([1.0]))[0] == N_BINS - 1


def test_the_error_of_two_bins_by_hand():
    confidence = np.array([0.6, 0.8, 0.95, 0.95])
    right = np.array([True, False, True, True])
    found = reliability(confidence, right, np.array([3, 3, 7, 7]))
    assert found.counts.tolist() == [2, 2]
    np.testing.assert_allclose(found.confidence, [0.7, 0.95])
    np.testing.assert_allclose(found.accuracy, [0.5, 1.0])
    assert found.error == pytest.approx((2 * 0.2 + 2 * 0.05) / 4)


def test_one_bin_has_the_distance_of_mean_confidence_and_accuracy():
    probabilities, labels = predictions(3)
    confidence, right = top(probabilities, labels)
    found = reliability(confidence, right, equal_mass_bins(confidence, 1))
    assert found.error == pytest.approx(abs(confidence.mean() - right.mean()))


@given(st.integers(0, 100), st.integers(1, 400))
def test_bins_of_equal_mass_have_equal_counts_and_do_not_depend_on_the_order(seed, n):
    random = np.random.default_rng(seed)
    confidence = random.random(n)
    bins = equal_mass_bins(confidence)
    counts = np.bincount(bins)
    assert counts.max() - counts.min() <= 1
    assert len(counts) == min(N_BINS, max(1, n // IMAGES_PER_BIN))
    order = random.permutation(n)
    np.testing.assert_array_equal(equal_mass_bins(confidence[order]), bins[order])
    assert (np.diff(bins[np.argsort(confidence)]) >= 0).all()


def test_equal_confidences_share_a_bin():
    confidence = np.repeat([0.5, 0.9, 1.0], [3, 40, 80])
    bins = equal_mass_bins(confidence, 12)
    assert len({*zip(bins.tolist(), confidence.tolist(), strict=True)}) == 3


def test_a_calibrated_network_shows_the_error_that_chance_makes_and_a_boastful_one_more():
    random = np.random.default_rng(5)
    confidence = random.uniform(0.5, 1, 4000)
    right = random.random(4000) < confidence
    bins = equal_width_bins(confidence)
    honest = reliability(confidence, right, bins)
    assert honest.error < honest.if_calibrated[1] < 0.05
    boastful = reliability(confidence, random.random(4000) < confidence - 0.2, bins)
    assert boastful.error > 3 * boastful.if_calibrated[1]
    assert ((honest.low <= honest.accuracy) & (honest.accuracy <= honest.high)).mean() > 0.7
    assert (boastful.accuracy < boastful.low).mean() > 0.7


def test_few_images_alone_make_an_error():
    few, many = (
        reliability(c, c > 0, equal_width_bins(c)).if_calibrated[0]
        for c in (np.full(n, 0.8) for n in (10, 1000))
    )
    # Mean distance of a share of n draws from 0.8: √(2·0.8·0.2 / πn) for many.
    assert many == pytest.approx(np.sqrt(2 * 0.16 / (np.pi * 1000)), rel=0.1)
    assert few > 7 * many


def test_the_same_images_have_the_same_chance_limits():
    probabilities, labels = predictions(1)
    confidence, right = top(probabilities, labels)
    first, again = (reliability(confidence, right, equal_width_bins(confidence)) for _ in "ab")
    np.testing.assert_array_equal(first.low, again.low)
    assert first.if_calibrated == again.if_calibrated
