"""Nominal against measured shares of flagged known images."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.density.threshold import (
    ThresholdReliability,
    draw_threshold_reliability,
    verdict,
)

NOMINAL = np.array([0.01, 0.04, 0.1])


def measured(shares: list[float]) -> ThresholdReliability:
    flagged = np.array(shares)
    return ThresholdReliability(NOMINAL, flagged, np.maximum(flagged - 0.03, 0), flagged + 0.03, 51)


def test_a_threshold_keeps_its_promise_where_the_interval_holds_the_nominal_share():
    sentence = "Set to flag 4 %, flags 5.0 % (2.0 to 8.0) of 51 unseen images: as promised"
    assert verdict(measured([0.01, 0.05, 0.1]), percent=4) == sentence
    assert verdict(measured([0.01, 0.3, 0.1]), percent=4).endswith("unseen images: not as promised")


@pytest.mark.parametrize("shares", [[0.0, 0.0, 0.0], [0.3, 0.5, 0.97]])
def test_any_shares_make_a_picture(tmp_path, shares):
    kinds = {"held-out images": measured(shares), "images of the fit": measured([0.3, 0.4, 0.5])}
    draw_threshold_reliability(kinds, tmp_path / "r.png", percent=4)
    with Image.open(tmp_path / "r.png") as picture:
        assert picture.width > picture.height


def test_one_threshold_alone_makes_a_picture(tmp_path, drawn):
    kind = ThresholdReliability(
        *(np.array([share]) for share in (0.04, 0.0, 0.0, 0.07)), n_images=51
    )
    draw_threshold_reliability({"given": kind}, tmp_path / "r.png", percent=4)
    assert (tmp_path / "r.png").exists()
    (axes,) = drawn.panels
    chance, curve, ring = axes.lines
    assert chance.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert curve.get_xydata().tolist() == ring.get_xydata().tolist() == [[0.04, 0.0]]
    assert "given, 51 images, 95 % interval" in drawn.texts
    assert verdict(kind, 4) in drawn.texts


def test_nothing_to_draw_is_an_error_that_names_the_picture(tmp_path):
    with pytest.raises(ValueError, match=r"r\.png: no threshold"):
        draw_threshold_reliability({}, tmp_path / "r.png", percent=4)
