import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from cellxai.density.separation import measure_separation


def draw(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    strange = generator.random(80) < 0.4
    confidence = generator.normal(size=80) - 0.8 * strange
    return (confidence.round(1) if ties else confidence), strange


def fpr_at_95(strange, score) -> float:
    false, true, _ = roc_curve(strange, score)
    return float(false[np.argmax(true >= 0.95)])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_the_figures_are_those_of_scikit_learn_on_repeated_images(seed, ties):
    confidence, strange = draw(seed, ties)
    counts = np.random.default_rng(seed).integers(0, 4, (3, 80))
    found = measure_separation(confidence, strange, counts.astype(float))
    for row, count in enumerate(counts):
        score, truth = np.repeat(-confidence, count), np.repeat(strange, count)
        assert found["auroc"][row] == pytest.approx(roc_auc_score(truth, score))
        assert found["fpr95"][row] == pytest.approx(fpr_at_95(truth, score))
        assert found["aupr_out"][row] == pytest.approx(average_precision_score(truth, score))
        assert found["aupr_in"][row] == pytest.approx(average_precision_score(~truth, -score))


def test_a_perfect_detector_and_one_that_says_the_same_of_all():
    strange = np.arange(20) < 8
    perfect = measure_separation(-strange.astype(float), strange, np.ones((1, 20)))
    assert {name: value[0] for name, value in perfect.items()} == {
        "auroc": 1, "fpr95": 0, "aupr_in": 1, "aupr_out": 1
    }  # fmt: skip
    blind = measure_separation(np.zeros(20), strange, np.ones((1, 20)))
    assert (blind["auroc"][0], blind["fpr95"][0]) == (0.5, 1.0)
    assert (blind["aupr_in"][0], blind["aupr_out"][0]) == (pytest.approx(0.6), pytest.approx(0.4))


def test_no_answer_is_the_strangest_answer():
    confidence = np.array([3.0, 2.0, np.nan, -np.inf, np.inf])
    strange = np.array([False, False, True, True, False])
    found = measure_separation(confidence, strange, np.ones((1, 5)))
    assert found["auroc"][0] == 1


def test_a_resample_without_strangers_or_without_known_images_has_no_figure():
    strange = np.array([True, False, False])
    weights = np.array([[0.0, 1, 1], [1, 0, 0]])
    for values in measure_separation(np.array([0.0, 1, 2]), strange, weights).values():
        assert np.isnan(values).all()
