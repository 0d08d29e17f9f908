import numpy as np
import pytest
import torch

from gmm.plots.scores import plot_scores


def test_each_set_of_scores_has_a_row_that_counts_what_the_threshold_flags():
    axes = plot_scores({"seen": [1.0, 2.0, 3.0], "unseen": torch.tensor([0.0, 2.5])}, 1.5)
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["seen\n1 of 3 flagged", "unseen\n1 of 2 flagged"]
    assert "1.5 nats" in axes.get_title("left")
    assert "2 of 4 flagged" in plot_scores([0.0, 1.0, 2.0, 3.0], 1.5).get_title("left")


def test_every_score_is_in_the_histogram_however_long_its_tail():
    scores = np.concatenate([np.random.default_rng(0).normal(1450, 20, 400), [-7.5e7, -2e6]])
    axes = plot_scores(scores)
    assert axes.get_xscale() == "asinh"
    assert axes.patches[0].get_data().values.sum() == pytest.approx(1)
    assert plot_scores(scores[:400]).get_xscale() == "linear"


@pytest.mark.parametrize("same", [0.0, 3.0])
def test_equal_scores_can_be_drawn(same):
    assert plot_scores([same, same]).patches


def test_a_score_that_is_not_finite_is_refused_by_the_name_of_its_set():
    with pytest.raises(ValueError, match="scores of 'unseen' hold a nan, expected finite"):
        plot_scores({"seen": [1.0], "unseen": [2.0, np.nan]})
    with pytest.raises(ValueError, match="scores of 'samples' hold nothing"):
        plot_scores([])
