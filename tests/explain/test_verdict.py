import pytest
import torch

from cellxai.explain.base import Attribution
from cellxai.explain.verdict import with_verdict

SOME, EMPTY, NOTHING = torch.eye(2), torch.zeros(2, 2), torch.full((2, 2), torch.nan)


@pytest.mark.parametrize(
    ("maps", "status", "reason"),
    [
        ([SOME, SOME], "ok", ""),
        ([SOME, EMPTY], "degraded", "the map is 0 everywhere (1 of 2 images)"),
        ([EMPTY], "degraded", "the map is 0 everywhere"),
        ([SOME, NOTHING], "degraded", "the map is not a finite number (1 of 2 images)"),
        ([NOTHING], "unsupported", "the map is not a finite number"),
    ],
)
def test_maps_that_are_none_or_rank_nothing_are_named(maps, status, reason):
    attribution = with_verdict(Attribution(torch.stack(maps)))
    assert (attribution.status, attribution.reason) == (status, reason)


def test_a_worse_status_and_earlier_reasons_stay():
    degraded = Attribution(EMPTY[None], status="degraded", reason="too few samples")
    assert with_verdict(degraded).reason == "too few samples; the map is 0 everywhere"
    unsupported = Attribution(NOTHING[None], status="unsupported", reason="no layers")
    assert with_verdict(unsupported) is unsupported
