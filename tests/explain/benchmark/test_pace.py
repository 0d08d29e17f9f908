import math

import pytest

from cellxai.explain.benchmark.pace import Pace


def test_nothing_is_known_before_anything_is_done():
    assert math.isnan(Pace({"lime": 3}).seconds_left)


def test_each_kind_of_work_is_expected_to_take_what_it_took():
    pace = Pace({"lime": 3, "saliency": 11})
    pace.note("lime", 100.0)
    pace.note("saliency", 1.0)
    assert pace.seconds_left == pytest.approx(2 * 100 + 10 * 1)
    pace.note("lime", 50.0)
    assert pace.seconds_left == pytest.approx(75 + 10)


def test_what_was_never_done_is_expected_to_take_the_mean_of_the_others():
    pace = Pace({"lime": 1, "saliency": 1, "occlusion": 2})
    pace.note("lime", 30.0)
    pace.note("saliency", 10.0)
    assert pace.seconds_left == pytest.approx(2 * 20)


def test_in_the_end_nothing_is_left():
    pace = Pace({"lime": 1})
    pace.note("lime", 30.0)
    assert pace.seconds_left == 0
