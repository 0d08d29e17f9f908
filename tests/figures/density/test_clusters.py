"""Images by component, and images drawn from the mixture."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.density.clusters import (
    LARGE_WIDTH,
    SMALL_WIDTH,
    draw_clusters,
    draw_generated,
)
from cellxai.figures.style import DPI

SHADES = (40, 90, 140, 190)
TILES = [np.full((6, 6), shade, np.uint8) for shade in SHADES]


def areas(path) -> list[float]:
    """Area of each shade in a picture, in images that are drawn large; letters have few pixels."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("L")).astype(int)
    return [(abs(pixels - shade) <= 1).sum() / (LARGE_WIDTH * DPI) ** 2 for shade in SHADES]


def test_every_image_stands_in_a_strip_and_ten_of_a_large_cluster(tmp_path):
    labels = np.array([0] * 12 + [3])
    draw_clusters([*[TILES[0]] * 12, TILES[1]], labels, tmp_path / "c.png", "two clusters")
    small = (SMALL_WIDTH / LARGE_WIDTH) ** 2
    assert areas(tmp_path / "c.png") == pytest.approx([10 * small, small, 0, 0], rel=0.05, abs=0.02)


def test_forty_clusters_stand_in_two_columns(tmp_path):
    draw_clusters([TILES[0]] * 40, np.arange(40), tmp_path / "many.png")
    draw_clusters([TILES[0]] * 3, np.arange(3), tmp_path / "few.png")
    with Image.open(tmp_path / "many.png") as many, Image.open(tmp_path / "few.png") as few:
        assert many.height < 10 * few.height


def test_each_drawn_image_has_its_nearest_below(tmp_path):
    draw_generated(TILES[:2], tmp_path / "alone.png")
    draw_generated(TILES[:2], tmp_path / "both.png", nearest=TILES[2:], title="drawn")
    assert areas(tmp_path / "alone.png") == pytest.approx([1, 1, 0, 0], abs=0.02)
    assert areas(tmp_path / "both.png") == pytest.approx([1, 1, 1, 1], abs=0.02)


def test_what_does_not_fit_together_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="2 images and 1 nearest"):
        draw_generated(TILES[:2], tmp_path / "g.png", nearest=TILES[:1])
    with pytest.raises(ValueError, match=r"c\.png: no image"):
        draw_clusters([], np.array([], int), tmp_path / "c.png")
