"""Numbers on the page."""

import pytest

from cellxai.report.printed_numbers import DASH, decimal, duration, figure, interval, nats, percent


def test_an_interval_has_both_ends_and_none_is_a_dash():
    assert interval((0.925, 1.0)) == "92 % to 100 %"
    assert interval(None) == DASH


@pytest.mark.parametrize("write", [decimal, percent, nats, duration])
@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_not_finite_is_a_dash(write, value):
    assert write(value) == DASH


def test_numbers_are_short_and_have_their_unit():
    assert decimal(-1234.5) == "−1,234.50"
    assert percent(0.95) == "95.0 %"
    assert [nats(-38.04), nats(-2.7e7)] == ["−38.0", "−2.7·10⁷"]
    seconds = [0.42, 25.0, 200.0, 7500.0]
    assert [duration(value) for value in seconds] == ["0.4 s", "25 s", "3 min 20 s", "2 h 05 min"]
    assert duration(0.0042) == "4.2 ms"


def test_a_score_of_any_size_shows_three_digits_that_count():
    scores = [0.0, 0.3149, -99.5, 1204.4, 0.00031, -4.2e-7, 3e9, float("nan")]
    assert [figure(score) for score in scores] == [
        "0.000", "0.315", "−99.500", "1,204", "0.000310", "−4.2·10⁻⁷", "3.0·10⁹", DASH,
    ]  # fmt: skip
