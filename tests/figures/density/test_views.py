"""Which view is surprised by which set."""

import numpy as np
import pytest

from cellxai.figures.density.views import MOST_SETS, MOST_VIEWS, SetOfViews, draw_views, title_line


def make_set(name: str, n_images: int, n_views: int) -> SetOfViews:
    p = np.random.default_rng(0).random((n_images, n_views))
    return SetOfViews(name, p, p.min(1) < 0.01)


def test_a_share_counts_images_at_or_below_the_level_and_the_last_the_verdicts():
    p = np.array([[0.04, 0.5], [0.01, 0.9], [0.041, 0.03], [1.0, 1.0]])
    images = SetOfViews("x", p, np.array([True, False, False, False]))
    assert images.shares(0.04).tolist() == [0.5, 0.25, 0.25]
    assert np.isnan(SetOfViews("none", np.empty((0, 2)), np.empty(0, bool)).shares(0.04)).all()


def test_every_number_of_the_table_is_written_in_its_cell(tmp_path, drawn):
    sets = [make_set("test", 40, 3), SetOfViews("none", np.empty((0, 3)), np.empty(0, bool))]
    draw_views(sets, ["tones", "pixels", "logits"], tmp_path / "v.png", percent=30.0)
    shares = sets[0].shares(0.3)
    expected = [f"{100 * share:.0f} %" for share in shares] + ["–"] * 4
    assert [text.get_text() for text in drawn.panels[0].texts] == expected
    assert [label.get_text() for label in drawn.panels[0].get_xticklabels()][-1] == "flagged"


def test_what_has_no_room_is_left_out_and_said(tmp_path, drawn):
    sets = [make_set(f"set {i}", 5, MOST_VIEWS + 2) for i in range(MOST_SETS + 1)]
    views = [f"view {i}" for i in range(MOST_VIEWS + 2)]
    draw_views(sets, views, tmp_path / "v.png", percent=4.0)
    assert len(drawn.panels[0].texts) == MOST_SETS * (MOST_VIEWS + 1)
    assert "the first 24 of 25 sets and 16 of 18 views" in drawn.figures[-1].get_suptitle()
    assert "\n" not in title_line(4.0, (2, 2), (3, 3))


def test_no_set_is_an_error_that_names_the_picture(tmp_path):
    with pytest.raises(ValueError, match=r"v\.png: no set"):
        draw_views([], [], tmp_path / "v.png", 4.0)
