"""ROC and precision-recall."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from cellxai.evaluation.curves import (
    class_curve,
    class_curves,
    macro_average,
    macro_roc,
    resampled_auroc,
    weighted_auroc,
)


def drawn(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties, and which images are positive; both kinds occur."""
    random = np.random.default_rng(seed)
    positive = random.random(n) < 0.3
    positive[:2] = True, False
    return random.integers(0, 12, n) / 12 + 0.2 * positive, positive


@given(st.integers(0, 500))
def test_the_curves_and_their_areas_are_scikit_learns(seed):
    scores, positive = drawn(seed)
    found = class_curve("a", scores, positive)
    fpr, tpr, thresholds = roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(found.false_positive_rate, fpr)
    np.testing.assert_allclose(found.recall, tpr)
    np.testing.assert_allclose(found.thresholds, thresholds)
    precision, recall, _ = precision_recall_curve(positive, scores)
    np.testing.assert_allclose(found.precision, precision[::-1])
    np.testing.assert_allclose(found.recall, recall[::-1])
    assert found.auroc == pytest.approx(roc_auc_score(positive, scores))
    assert found.average_precision == pytest.approx(average_precision_score(positive, scores))


@pytest.mark.parametrize(
    ("positive", "problem"),
    [(False, "no image of this class in this part"), (True, "no image of any other class in this")],
)
def test_a_class_without_positives_or_without_negatives_has_no_area_and_says_why(positive, problem):
    found = class_curve("a", np.array([0.1, 0.2, 0.2]), np.full(3, positive))
    assert (found.auroc, found.average_precision) == (None, None)
    assert found.problem.startswith(problem)


def test_the_mean_is_over_the_classes_that_have_an_area():
    assert macro_average([0.5, None, 0.9]) == pytest.approx(0.7)
    assert macro_average([None]) is None


def test_the_mean_curve_of_equal_classes_is_theirs():
    scores, positive = drawn(0)
    one = class_curve("a", scores, positive)
    places = one.false_positive_rate[np.diff(one.false_positive_rate, prepend=-1) > 0][1:-1]
    empty = class_curve("b", scores, np.zeros(len(scores), dtype=bool))
    np.testing.assert_allclose(
        macro_roc([one, one, empty], places), np.interp(places, one.false_positive_rate, one.recall)
    )


def test_weighted_areas_are_scikit_learns_of_the_images_repeated_as_often():
    scores, positive = drawn(1)
    weights = np.random.default_rng(0).integers(0, 3, (20, 60)).astype(float)
    found = weighted_auroc(scores, positive, weights)
    for area, row in zip(found, weights.astype(int), strict=True):
        assert area == pytest.approx(
            roc_auc_score(np.repeat(positive, row), np.repeat(scores, row))
        )


def test_a_resample_that_lacks_a_class_has_the_mean_of_the_others():
    random = np.random.default_rng(2)
    labels = random.integers(0, 3, 30)
    probabilities = random.dirichlet(np.ones(3), 30)
    whole, without, single = np.ones(30), (labels != 2) * 1.0, (labels == 1) * 1.0
    found = resampled_auroc(probabilities, labels, np.stack([whole, without, single]))
    expected = [curve.auroc for curve in class_curves("abc", probabilities, labels)]
    assert found[0] == pytest.approx(np.mean(expected))
    kept = labels != 2
    pair = [roc_auc_score(labels[kept] == c, probabilities[kept, c]) for c in (0, 1)]
    assert found[1] == pytest.approx(np.mean(pair))
    assert np.isnan(found[2])
