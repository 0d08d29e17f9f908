import itertools
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture as Reference
from sklearn.utils.estimator_checks import parametrize_with_checks

from gmm.anomaly import held_out_parts
from gmm.detector import DensityDetector
from gmm.estimator import GaussianMixture


@pytest.mark.filterwarnings("ignore:.*held-out samples cannot resolve")  # the checks use 21 samples
@parametrize_with_checks([DensityDetector(), DensityDetector(cv=0.3, trim_percent=5)])
def test_scikit_learn_accepts_it_as_an_outlier_detector(estimator, check):
    check(estimator)


@pytest.mark.slow
def test_about_the_given_share_of_new_samples_is_flagged_where_training_scores_flag_many():
    flagged, by_training_scores = [], []
    for seed in range(4):
        x = np.random.default_rng(seed).normal(size=(150, 3))
        new = np.random.default_rng(100 + seed).normal(size=(4000, 3))
        mixture = GaussianMixture(8, random_state=0, max_iter=200)
        detector = DensityDetector(mixture, percent=4, random_state=0).fit(x)
        flagged.append(np.mean(detector.predict(new) == -1))
        remembered = np.percentile(detector.score_samples(x), 4)
        by_training_scores.append(np.mean(detector.score_samples(new) < remembered))
    assert np.mean(by_training_scores) > 0.15
    assert 0.01 < np.mean(flagged) < 0.06


def test_a_held_out_share_keeps_its_guarantee_whatever_the_mixture():
    # 20 held out, 25 %: of 21 samples in any order, the new one is the first to fifth, or sixth.
    least, most = 5 / 21, 6 / 21
    random = np.random.default_rng(0)
    flagged = []
    for seed in range(64):
        mixture = GaussianMixture(
            3, covariance_type="diag", init_params="random_from_data", tol=0.01, random_state=seed
        )
        detector = DensityDetector(mixture, percent=25, cv=0.5, random_state=seed)
        detector.fit(random.normal(size=(40, 2)))
        flagged.append(np.mean(detector.predict(random.normal(size=(1000, 2))) == -1))
    error = np.std(flagged) / 8
    assert least - 3 * error < np.mean(flagged) < most + 3 * error


def test_scores_of_folds_are_those_of_mixtures_fitted_without_them(blobs):
    detector = DensityDetector(GaussianMixture(2, random_state=1), cv=3, random_state=4).fit(blobs)
    order = np.random.RandomState(4).permutation(len(blobs))
    for part in np.array_split(order, 3):
        others = np.delete(np.arange(len(blobs)), part)
        mixture = GaussianMixture(2, random_state=1).fit(blobs[others])
        expected = mixture.score_samples(blobs[part])
        np.testing.assert_allclose(detector.held_out_scores_[part], expected, rtol=1e-12)
    quantile = np.percentile(detector.held_out_scores_, 4, method="weibull")
    assert detector.threshold_nats_ == quantile
    whole = GaussianMixture(2, random_state=1).fit(blobs)
    expected = whole.score_samples(blobs)
    np.testing.assert_allclose(detector.score_samples(blobs), expected, rtol=1e-12)


def test_a_held_out_share_is_never_fitted_to(blobs):
    detector = DensityDetector(cv=0.25, random_state=4).fit(blobs)
    held_out = np.sort(np.random.RandomState(4).permutation(450)[:113])
    mixture = GaussianMixture().fit(np.delete(blobs, held_out, axis=0))
    np.testing.assert_array_equal(detector.mixture_.means_, mixture.means_)
    scores = mixture.score_samples(blobs[held_out])
    np.testing.assert_allclose(detector.held_out_scores_, scores, rtol=1e-12)


@pytest.mark.parametrize("as_tensors", [False, True])
def test_where_too_few_are_held_out_it_warns_and_flags_nothing(blobs, as_tensors):
    x = torch.from_numpy(blobs[:100]) if as_tensors else blobs[:100]
    message = "20 held-out samples cannot resolve 4 %; at least 24 can; nothing is flagged"
    with pytest.warns(UserWarning, match=message):
        detector = DensityDetector(cv=0.2, random_state=0).fit(x)
    assert detector.offset_ == -np.inf
    for samples in (x, x * 1e160):
        assert (detector.predict(samples) == 1).all()
        assert (detector.decision_function(samples) == np.inf).all()
        assert not detector.threshold_.flags(detector.score_samples(samples)).any()


def test_where_enough_are_held_out_it_does_not_warn(blobs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector = DensityDetector(cv=0.24, random_state=0).fit(blobs[:100])
    assert detector.offset_ == detector.held_out_scores_.min()


def test_a_threshold_in_nats_is_taken_as_it_is_and_holds_nothing_out(blobs):
    detector = DensityDetector(GaussianMixture(3, random_state=0), threshold_nats=-9).fit(blobs)
    mixture = GaussianMixture(3, random_state=0).fit(blobs)
    expected = np.where(mixture.score_samples(blobs) >= -9, 1, -1)
    np.testing.assert_array_equal(detector.predict(blobs), expected)
    assert detector.offset_ == -9
    assert detector.held_out_scores_.size == 0
    assert str(detector.threshold_) == "outlier below -9 nats"


def test_decisions_are_log_densities_above_the_threshold(blobs):
    detector = DensityDetector(random_state=0).fit(blobs)
    decisions = detector.decision_function(blobs)
    np.testing.assert_array_equal(decisions, detector.score_samples(blobs) - detector.offset_)
    np.testing.assert_array_equal(detector.predict(blobs) == 1, decisions >= 0)
    assert str(detector.threshold_).endswith("(4 % of 450 held-out samples)")


def test_a_trimmed_refit_finds_the_covariance_that_outliers_had_widened():
    random = np.random.default_rng(0)
    x = np.r_[random.normal(size=(380, 2)), random.normal(size=(20, 2)) + 30]
    plain = DensityDetector(threshold_nats=-10).fit(x).mixture_
    trimmed = DensityDetector(threshold_nats=-10, trim_percent=5).fit(x).mixture_
    reference = Reference(random_state=0).fit(x[:380])
    np.testing.assert_allclose(trimmed.covariances_, reference.covariances_, rtol=1e-9)
    assert np.linalg.det(plain.covariances_[0]) > 20 * np.linalg.det(trimmed.covariances_[0])


def test_trimmed_samples_still_count_for_the_threshold():
    random = np.random.default_rng(0)
    x = np.r_[random.normal(size=(380, 2)), random.normal(size=(20, 2)) + 30]
    detector = DensityDetector(percent=5, trim_percent=6, random_state=0).fit(x)
    assert len(detector.held_out_scores_) == 400
    assert (detector.predict(x)[380:] == -1).all()
    assert (detector.predict(x)[:380] == 1).mean() > 0.99


def test_tensors_give_tensors_and_the_same_answers_as_arrays(blobs):
    arrays = DensityDetector(GaussianMixture(2, random_state=0), random_state=0).fit(blobs)
    x = torch.from_numpy(blobs)
    tensors = clone(arrays).fit(x)
    assert tensors.threshold_nats_ == arrays.threshold_nats_
    for answer in ("predict", "decision_function", "score_samples", "fit_predict"):
        values = getattr(tensors, answer)(x)
        assert isinstance(values, torch.Tensor)
        np.testing.assert_array_equal(values.numpy(), getattr(arrays, answer)(blobs))


def test_the_gradient_reaches_the_samples(blobs):
    detector = DensityDetector(random_state=0).fit(torch.from_numpy(blobs))
    x = torch.from_numpy(blobs[:1]).requires_grad_()
    detector.decision_function(x).sum().backward()
    mixture = detector.mixture_
    expected = (mixture.means_ - x.detach()) @ mixture.precisions_[0]
    torch.testing.assert_close(x.grad, expected)


def test_the_mixture_given_is_a_setting_and_stays_as_it_was(blobs):
    mixture = GaussianMixture(2)
    detector = DensityDetector(mixture, random_state=3).fit(blobs)
    assert not hasattr(mixture, "means_")
    assert mixture.random_state is None
    assert detector.mixture_.random_state == 3
    again = DensityDetector(mixture, random_state=3).fit(blobs)
    assert again.threshold_nats_ == detector.threshold_nats_


def test_an_unfitted_detector_says_so(blobs):
    with pytest.raises(NotFittedError):
        DensityDetector().predict(blobs)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"percent": 0}, "percent=0, expected a number between 0 and 100"),
        ({"percent": "4"}, "percent='4'"),
        ({"percent": float("nan")}, "percent=nan"),
        ({"cv": 1}, "cv=1, expected a number of folds >= 2 or a share"),
        ({"cv": 0.0}, r"cv=0\.0"),
        ({"cv": 2.5}, r"cv=2\.5"),
        ({"trim_percent": 50}, "trim_percent=50, expected 0 or a number below 50"),
        ({"threshold_nats": float("-inf")}, "threshold_nats=-inf, expected a finite"),
        ({"mixture": Reference()}, "expected a mixture of this package"),
        ({"cv": 11}, r"cv=11 leaves 9 of n_samples=10 .* a sample per fold"),
        (
            {"mixture": GaussianMixture(9), "cv": 2},
            r"cv=2 leaves 5 of n_samples=10 for n_components=9, expected at least 9",
        ),
    ],
)
def test_settings_that_cannot_be_used_are_refused(blobs, settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        DensityDetector(**settings).fit(blobs[:10])
    assert "\n" not in str(caught.value)


def patches(random, n_groups, size):
    """Samples of groups, which have more in common than samples of two groups."""
    centres = np.repeat(random.normal(size=(n_groups, 3)), size, axis=0)
    return centres + 0.2 * random.normal(size=centres.shape), np.repeat(np.arange(n_groups), size)


@pytest.mark.parametrize("cv", [4, 0.3])
def test_samples_of_one_group_are_held_out_together(cv):
    x, groups = patches(np.random.default_rng(0), 14, 6)
    order = np.random.default_rng(1).permutation(len(x))
    parts = held_out_parts(len(x), cv, np.random.RandomState(0), groups[order])
    members = [set(groups[order][part]) for part in parts]
    assert all(not a & b for a, b in itertools.combinations(members, 2))
    assert all(len(part) == 6 * len(member) for part, member in zip(parts, members, strict=True))
    assert {len(member) for member in members} == ({3, 4} if cv == 4 else {5})


def test_the_threshold_for_new_groups_is_that_of_folds_of_groups():
    x, groups = patches(np.random.default_rng(0), 20, 8)
    mixture = GaussianMixture(6, random_state=0)
    detector = DensityDetector(mixture, percent=10, random_state=0).fit(x, groups=groups)
    expected = np.empty(len(x))
    for part in held_out_parts(len(x), 5, np.random.RandomState(0), groups):
        fitted = GaussianMixture(6, random_state=0).fit(np.delete(x, part, axis=0))
        expected[part] = fitted.score_samples(x[part])
    np.testing.assert_allclose(detector.held_out_scores_, expected)
    words = np.array([f"well {group:02}" for group in groups])
    again = DensityDetector(mixture, percent=10, random_state=0).fit(x, groups=words)
    assert again.threshold_nats_ == detector.threshold_nats_
    alone = DensityDetector(mixture, percent=10, random_state=0).fit(x)
    assert detector.threshold_nats_ < alone.threshold_nats_  # which has seen parts of each group


def test_groups_that_cannot_be_are_refused(blobs):
    with pytest.raises(ValueError, match=r"groups has shape \(3,\), expected \(450,\)"):
        DensityDetector().fit(blobs, groups=[0, 1, 2])
    with pytest.raises(ValueError, match="groups names 2 groups, expected at least 5 for cv=5"):
        DensityDetector().fit(blobs, groups=np.arange(450) % 2)
