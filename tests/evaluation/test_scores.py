"""Scores of predicted classes."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from cellxai.evaluation.scores import judge, resampled_scores
from cellxai.intervals import share_interval


def test_a_class_never_predicted_has_precision_zero_and_one_without_images_counts_in_no_mean():
    found = judge(torch.tensor([0, 0, 1]), torch.tensor([0, 0, 0]), ["a", "b", "c"])
    b = found["per_class"]["b"]
    assert (b["precision"], b["recall"], b["f1"], b["support"]) == (0, 0, 0, 1)
    assert b["recall_interval"] == share_interval(0, 1)
    assert found["per_class"]["c"]["recall_interval"] is None
    assert found["balanced_accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx(0.4)  # of 0.8 and 0
    assert found["confusion"] == [[2, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_weighted_scores_are_scikit_learns_of_the_images_repeated_as_often():
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 4, (2, 40))
    weights = random.integers(0, 3, (25, 40)).astype(float)
    weights[0] = labels == 2  # a sample of one class
    found = resampled_scores(labels, predicted, 5, weights)
    for row, drawn in enumerate(weights.astype(int)):
        y, p = np.repeat(labels, drawn), np.repeat(predicted, drawn)
        assert found["accuracy"][row] == pytest.approx(accuracy_score(y, p))
        assert found["balanced_accuracy"][row] == pytest.approx(
            np.mean([(p[y == c] == c).mean() for c in np.unique(y)])
        )
        f1 = f1_score(y, p, labels=np.unique(y), average="macro", zero_division=0)
        assert found["macro_f1"][row] == pytest.approx(f1)


def test_equal_weights_give_the_figures_of_the_report():
    random = np.random.default_rng(1)
    labels, predicted = random.integers(0, 3, (2, 30))
    report = judge(torch.from_numpy(labels), torch.from_numpy(predicted), ["a", "b", "c", "none"])
    found = resampled_scores(labels, predicted, 4, np.ones((1, 30)))
    for name, values in found.items():
        assert values[0] == pytest.approx(report[name])
    assert report["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, predicted))
