"""Which pixels make an image unusual."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.density.anomalies import ExplainedAnomaly, draw_anomalies
from cellxai.figures.overlay import tint_by_sign

IMAGE = np.full((40, 40, 3), 0.5)
REGION = np.zeros((40, 40), int)
REGION[10:20, 10:20] = 1


def explained(evidence: float, region: np.ndarray | None = REGION) -> ExplainedAnomaly:
    maps = {"Integrated Gradients": evidence * REGION, "LIME": 0.0 * REGION}
    hits = None if region is None else frozenset({"LIME"})
    return ExplainedAnomaly("a", IMAGE, maps, -1e7, True, region, hits)


def full_tints(path, sign: float) -> int:
    """Pixels in the tint of full strength on this image."""
    tint = 255 * tint_by_sign(IMAGE[:1, :1], np.full((1, 1), sign), limit=1.0)[0, 0]
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    return int((np.abs(pixels - tint).max(-1) < 4).sum())


def test_what_lowers_the_density_is_orange_and_what_raises_it_green(tmp_path):
    draw_anomalies([explained(-1.0, region=None)], tmp_path / "low.png", -38.0)
    draw_anomalies([explained(1.0, region=None)], tmp_path / "high.png", -38.0)
    for name, sign in (("low.png", -1.0), ("high.png", 1.0)):
        assert full_tints(tmp_path / name, sign) > 10 * full_tints(tmp_path / name, -sign)


def test_every_image_adds_a_row(tmp_path):
    draw_anomalies([explained(-1.0)], tmp_path / "one.png", -38.0)
    draw_anomalies([explained(-1.0)] * 3, tmp_path / "three.png", -38.0)
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "three.png") as three:
        assert three.width == one.width
        assert three.height > 2 * one.height


def test_nothing_to_draw_is_an_error_that_names_the_picture(tmp_path):
    with pytest.raises(ValueError, match=r"a\.png: no explained image"):
        draw_anomalies([], tmp_path / "a.png", -38.0)
