import pytest
import torch

from cellxai.explain.status import SEVERITY, Doubt, doubt_of_images, worst_status


@pytest.mark.parametrize(
    ("affected", "expected"),
    [
        ([False, False], None),
        ([True, False, True], Doubt("degraded", "it is dark (2 of 3 images)")),
        ([True, True], Doubt("unsupported", "it is dark (2 of 2 images)")),
        ([True], Doubt("unsupported", "it is dark")),
    ],
)
def test_a_fault_of_all_images_is_worse_than_one_of_some(affected, expected):
    assert doubt_of_images(torch.tensor(affected), "it is dark", if_all="unsupported") == expected


def test_the_most_severe_status_is_the_worst_and_none_is_ok():
    assert worst_status([]) == "ok"
    assert worst_status(["ok", "unsupported", "degraded"]) == "unsupported"
    assert [worst_status(SEVERITY[: n + 1]) for n in range(len(SEVERITY))] == list(SEVERITY)
