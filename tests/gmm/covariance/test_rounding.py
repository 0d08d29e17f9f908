import torch

from gmm.covariance.rounding import drop_rounding


def test_what_is_less_than_the_rounding_of_a_sum_is_nothing():
    minuend = torch.tensor([[1e6, 1e6, 1.0]], dtype=torch.float64)
    difference = torch.tensor([[1e-9, -1e-6, 1e-9]], dtype=torch.float64)
    expected = torch.tensor([[0.0, -1e-6, 1e-9]], dtype=torch.float64)
    assert torch.equal(drop_rounding(difference, minuend), expected)
