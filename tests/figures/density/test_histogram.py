"""Histograms of log-density."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from cellxai.figures.colours import BLUE, VERMILLION
from cellxai.figures.density.histogram import MOST_SETS, draw_histogram, set_line, title_line

KNOWN = np.random.default_rng(0).normal(-20, 6, 200)
FAR = np.array([-2.7e7, -7.5e7])


def flags(values: np.ndarray) -> np.ndarray:
    return values < -38.0


def draw(sets: dict[str, np.ndarray], path: Path, threshold: float = -38.0) -> None:
    draw_histogram(
        sets, {name: flags(values) for name, values in sets.items()}, threshold, path, percent=4.0
    )


def test_the_line_counts_verdicts_whatever_the_scores_are():
    scores = np.array([-1.0, -3.0, np.nan, -np.inf])
    flagged = np.array([True, False, False, True])
    expected = "x: 4 images, 2 flagged (50.0 %), 2 of them without a finite score"
    assert set_line("x", scores, flagged) == expected
    assert set_line("x", np.array([]), np.array([], bool)) == "x: no images"


def test_every_set_adds_a_row(tmp_path):
    sets = {"train": KNOWN, "far": FAR, "empty": np.array([]), "broken": np.array([np.nan])}
    draw({"train": KNOWN}, tmp_path / "one.png")
    draw(sets, tmp_path / "four.png")
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "four.png") as four:
        assert one.width == four.width
        assert four.height > 2 * one.height


def test_flagged_images_are_orange_bars_on_either_side_of_the_threshold(tmp_path, drawn):
    scores, flagged = np.array([-40.0, -30.0, -29.0]), np.array([False, True, False])
    draw_histogram({"x": scores}, {"x": flagged}, -38.0, tmp_path / "h.png", percent=4.0)
    kinds = drawn.panels[0].containers
    assert [sum(bar.get_height() for bar in bars) for bars in kinds] == [2, 1]
    assert [to_hex(bars[0].get_facecolor()) for bars in kinds] == [BLUE.lower(), VERMILLION.lower()]


def test_scores_are_drawn_where_too_few_are_held_out_to_set_a_threshold(tmp_path):
    draw({"train": KNOWN, "far": FAR}, tmp_path / "none.png", -np.inf)
    with Image.open(tmp_path / "none.png") as picture:
        assert picture.width > 0
    assert title_line(-np.inf, 4.0) == "No threshold: too few known images for 4 %"


@pytest.mark.slow
def test_sets_beyond_the_most_make_no_longer_picture(tmp_path):
    many = {f"set {number}": KNOWN for number in range(MOST_SETS + 4)}
    draw(many, tmp_path / "many.png")
    fewer = dict(list(many.items())[:MOST_SETS])
    draw(fewer, tmp_path / "most.png")
    with (
        Image.open(tmp_path / "many.png") as all_of_them,
        Image.open(tmp_path / "most.png") as most,
    ):
        assert all_of_them.size == most.size


def test_nothing_to_draw_is_an_error_that_names_the_picture(tmp_path):
    with pytest.raises(ValueError, match=r"h\.png: no set"):
        draw_histogram({}, {}, 0.0, tmp_path / "h.png", percent=4.0)
