"""Histograms of log-density."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.density.histogram import MOST_SETS, draw_histogram, set_line, title_line

KNOWN = np.random.default_rng(0).normal(-20, 6, 200)
FAR = np.array([-2.7e7, -7.5e7])


def test_a_score_that_is_no_number_counts_as_below():
    scores = np.array([-1.0, -3.0, np.nan, -np.inf])
    expected = "x: 4 images, 3 below (75.0 %), 2 of them without a finite score"
    assert set_line("x", scores, threshold=-2.0) == expected
    assert set_line("x", np.array([]), threshold=-2.0) == "x: no images"


def test_every_set_adds_a_row(tmp_path):
    sets = {"train": KNOWN, "far": FAR, "empty": np.array([]), "broken": np.array([np.nan])}
    draw_histogram({"train": KNOWN}, -38.0, tmp_path / "one.png", percent=4.0)
    draw_histogram(sets, -38.0, tmp_path / "four.png", percent=4.0)
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "four.png") as four:
        assert one.width == four.width
        assert four.height > 2 * one.height


def test_scores_are_drawn_where_too_few_are_held_out_to_set_a_threshold(tmp_path):
    draw_histogram({"train": KNOWN, "far": FAR}, -np.inf, tmp_path / "none.png", percent=4.0)
    with Image.open(tmp_path / "none.png") as picture:
        assert picture.width > 0
    assert title_line(-np.inf, 4.0) == "No threshold: too few calibration images for 4 %"
    assert set_line("x", np.array([-1.0, np.nan]), -np.inf).startswith("x: 2 images, 1 below")


@pytest.mark.slow
def test_sets_beyond_the_most_make_no_longer_picture(tmp_path):
    many = {f"set {number}": KNOWN for number in range(MOST_SETS + 4)}
    draw_histogram(many, -38.0, tmp_path / "many.png", percent=4.0)
    fewer = dict(list(many.items())[:MOST_SETS])
    draw_histogram(fewer, -38.0, tmp_path / "most.png", percent=4.0)
    with (
        Image.open(tmp_path / "many.png") as all_of_them,
        Image.open(tmp_path / "most.png") as most,
    ):
        assert all_of_them.size == most.size


def test_nothing_to_draw_is_an_error_that_names_the_picture(tmp_path):
    with pytest.raises(ValueError, match=r"h\.png: no set"):
        draw_histogram({}, 0.0, tmp_path / "h.png", percent=4.0)
