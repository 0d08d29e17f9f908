import hypothesis.strategies as st
import numpy as np
import torch
from hypothesis import given

from cellxai.density.p_values import Calibration, tail_log_p


def test_the_tail_is_counting_within_the_scores_and_exponential_below():
    known = torch.arange(1.0, 100.0, dtype=torch.float64)  # 99 scores: p = score / 100
    inside = torch.tensor([10.0, 35.0, 99.0], dtype=torch.float64)
    torch.testing.assert_close(tail_log_p(inside, known), (inside / 100).log())
    # The ten least are on average 4.5 below the tenth.
    below = tail_log_p(torch.tensor([10 - 4.5 * 3, 10 - 4.5 * 30], dtype=torch.float64), known)
    torch.testing.assert_close(below, np.log(0.1) - torch.tensor([3.0, 30.0]).double())


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=30), st.floats(-1e6, 1e6))
def test_a_lower_score_is_never_the_more_usual_one(known, score):
    scores = torch.tensor([score - 10.0, score, score + 10.0], dtype=torch.float64)
    found = tail_log_p(scores, torch.tensor(known, dtype=torch.float64))
    assert found[0] <= found[1] <= found[2] <= 0


def calibration(percent: float = 10.0) -> Calibration:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 200, generator=generator, dtype=torch.float64)
    return Calibration(scores[0], scores[1].exp(), percent)


def test_either_detector_is_enough_and_neither_excuses_the_other():
    usual, error = torch.zeros(1).double(), torch.ones(1).double()
    found = calibration()
    assert not found.flags(usual, error, "either")[0]
    assert found.flags(usual - 9, error, "either")[0]
    assert found.flags(usual, error * 500, "either")[0]
    # An error of nothing is no excuse for an unheard-of density.
    assert found.flags(usual - 9, error * 0, "either")[0]
    assert not found.flags(usual, error * 500, "density")[0]


def test_either_flags_no_more_known_images_than_were_asked_for():
    generator = torch.Generator().manual_seed(1)
    new = torch.randn(2, 5000, generator=generator, dtype=torch.float64)
    share = calibration(10.0).flags(new[0], new[1].exp(), "either").mean()
    assert 0.05 < share < 0.13
    assert calibration(10.0).flags(new[0], new[1].exp(), "either", 40.0).mean() > 0.25


def test_no_number_is_flagged():
    nan = torch.tensor([torch.nan], dtype=torch.float64)
    assert calibration().flags(nan, nan, "either")[0]
    assert calibration().flags(nan, None, "density")[0]
