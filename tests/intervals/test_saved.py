import pytest

from cellxai.intervals.saved import read_interval


@pytest.mark.parametrize(
    ("saved", "expected"),
    [
        ([1, "2"], (1.0, 2.0)),
        (None, None),
        ({"bootstrap": [0.1, 0.2], "wilson": [0.3, 0.4]}, (0.3, 0.4)),
        ({"bootstrap": [0.1, 0.2]}, (0.1, 0.2)),
        ({"bootstrap": None}, None),
        ({}, None),
    ],
)
def test_a_pair_is_read_as_saved_now_or_by_method_as_in_older_files(saved, expected):
    assert read_interval(saved) == expected
