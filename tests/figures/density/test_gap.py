"""What the images of the fit score above unseen ones."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.density.gap import draw_gap, gap_line

SEEN, UNSEEN = np.array([-10.0, -12.0, -14.0]), np.array([-20.0, -22.0])


def test_the_gap_is_that_of_the_medians():
    told = gap_line({"train": SEEN, "test": UNSEEN})
    assert (
        told == "Unseen images score 9.0 nats lower: median of train −12.0 nats, of test −21.0 nats"
    )
    assert "9.0 nats higher" in gap_line({"train": UNSEEN, "test": SEEN})


def test_images_without_a_finite_score_are_below_all_others():
    told = gap_line({"train": SEEN, "test": np.array([np.nan, -np.inf, -20.0])})
    assert told == "Median of train −12.0 nats, of test no finite score"


@pytest.mark.parametrize("threshold", [-15.0, -np.inf])
@pytest.mark.parametrize("unseen", [UNSEEN, np.array([np.nan, -7e7]), np.array([np.inf])])
def test_any_scores_make_a_picture(tmp_path, unseen, threshold):
    draw_gap({"train": SEEN, "test": unseen}, threshold, tmp_path / "gap.png")
    with Image.open(tmp_path / "gap.png") as picture:
        assert picture.width > picture.height


@pytest.mark.parametrize("sets", [{}, {"train": SEEN}, {"train": SEEN, "test": np.array([])}])
def test_one_set_alone_has_no_gap(tmp_path, sets):
    with pytest.raises(ValueError, match=r"gap\.png: .* expected images of the fit and held-out"):
        draw_gap(sets, 0.0, tmp_path / "gap.png")
