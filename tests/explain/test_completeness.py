import pytest
import torch

from cellxai.explain.base import Attribution
from cellxai.explain.completeness import change_of_score, judge_completeness, relative_gap


def maps_of(*sums: float) -> torch.Tensor:
    return torch.tensor(sums)[:, None, None] * torch.full((2, 2), 0.25)


@pytest.mark.parametrize(
    ("total", "status", "reason"),
    [
        (2.0, "ok", ""),
        (2.019, "ok", ""),
        (2.1, "degraded", "completeness is missed by 5.0% of the score, more than 1%"),
        (-4e6, "degraded", "completeness is missed by 2e+06 times the score, more than 1%"),
        (float("nan"), "ok", ""),  # named elsewhere
    ],
)
def test_a_map_is_judged_by_its_worst_image(total, status, reason):
    attribution = judge_completeness(Attribution(maps_of(1.0, total)), torch.tensor([1.0, 2.0]))
    assert (attribution.status, attribution.reason) == (status, reason)
    torch.testing.assert_close(
        attribution.completeness_gap, torch.tensor([0.0, total - 2]), equal_nan=True
    )


def test_what_rounding_loses_of_no_change_is_no_gap():
    gaps = relative_gap(maps_of(1e-6, 1e-6), torch.tensor([0.0, 1e-7]))
    assert gaps.max() < 0.01


def test_the_change_is_that_of_the_target_in_batches(net, images, targets, context):
    change = change_of_score(net, images, context.baseline, targets, batch_size=2)
    with torch.no_grad():
        expected = (net(images) - net(context.baseline)).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(change, expected)
