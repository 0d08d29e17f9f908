"""Which explainer is best."""

import pytest

from cellxai.report.benchmark import Score, mean_ranks


def score(explainer: str, metric: str, mean: float, direction: str) -> Score:
    return Score(explainer, metric, mean, mean, mean, 10, 0, None, direction)


def test_a_rank_counts_the_explainers_that_are_better_in_the_metrics_own_direction():
    scores = [
        score("lime", "deletion", 0.1, "lower"),
        score("noise", "deletion", 0.9, "lower"),
        score("lime", "insertion", 0.8, "higher"),
        score("noise", "insertion", 0.2, "higher"),
    ]
    assert mean_ranks(scores) == {"lime": 1.0, "noise": 2.0}


def test_ties_share_the_better_rank_and_nan_is_last():
    means = {"a": 0.5, "b": 0.5, "c": float("nan"), "d": 0.1}
    scores = [score(name, "insertion", mean, "higher") for name, mean in means.items()]
    assert mean_ranks(scores) == {"a": 1.0, "b": 1.0, "c": 4.0, "d": 3.0}


@pytest.mark.parametrize("direction", ["", "closer"])
def test_a_metric_without_a_direction_ranks_nobody(direction):
    assert mean_ranks([score("a", "cost", 1.0, direction)]) == {}
