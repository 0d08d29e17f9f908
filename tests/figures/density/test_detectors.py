"""Detectors side by side."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.density.detectors import (
    MOST_SETS,
    DetectorScore,
    draw_detectors,
    rank_detectors,
)


def row(detector: str, area: float, name: str = "photographs") -> DetectorScore:
    return DetectorScore(detector, name, area, area - 0.05, min(area + 0.05, 1))


def test_detectors_are_ranked_by_their_mean_over_the_sets():
    scores = [row("knn", 0.9), row("density", 0.8), row("density", 1.0, "u373"), row("energy", 0.4)]
    scores.append(row("broken", np.nan))
    assert rank_detectors(scores) == ["knn", "density", "energy", "broken"]


@pytest.mark.parametrize("n_sets", [1, 5, 30])
def test_any_number_of_sets_makes_a_picture(tmp_path, drawn, n_sets):
    scores = [
        row(detector, area, f"a set with quite a long name {number}")
        for number in range(n_sets)
        for detector, area in (("density", 0.99), ("energy", 0.2), ("broken", np.nan))
    ]
    draw_detectors(scores, tmp_path / "d.png", accent=["density"])
    with Image.open(tmp_path / "d.png") as picture:
        assert picture.width < 1500
    assert len(drawn.panels) == min(n_sets, MOST_SETS)
    for axes in drawn.panels:
        assert [text.get_text() for text in axes.texts] == ["0.990", "0.200", "nan"]


def test_nothing_to_draw_is_an_error_that_names_the_picture(tmp_path):
    with pytest.raises(ValueError, match=r"d\.png: no score"):
        draw_detectors([], tmp_path / "d.png")
