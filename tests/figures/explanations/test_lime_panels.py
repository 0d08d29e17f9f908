"""LIME's panels."""

import numpy as np
from PIL import Image

from cellxai.figures.explanations.lime_mask import LimeMask, image_and_mask
from cellxai.figures.explanations.lime_panels import (
    N_SIGNS,
    LimePanels,
    draw_lime_panels,
    hide_rest,
    inner_pixel,
    top_positive,
)
from cellxai.figures.style import DPI

GENERATOR = np.random.default_rng(0)
IMAGE = GENERATOR.random((12, 16, 3)) * 0.9 + 0.05
SUPERPIXELS = np.arange(12)[:, None] // 4 * 4 + np.arange(16)[None] // 4


def panels(coefficients, title="x"):
    return LimePanels(IMAGE, SUPERPIXELS, coefficients, title)


def test_the_strongest_positive_superpixels_come_first_and_negative_ones_never():
    coefficients = np.array([0.1, -0.9, 0.5, np.nan, 0.3, 0.0])
    np.testing.assert_array_equal(top_positive(coefficients, 3), [2, 4, 0])
    np.testing.assert_array_equal(top_positive(coefficients, 2), [2, 4])
    assert len(top_positive(-np.ones(4), 3)) == 0


def test_exactly_the_other_superpixels_are_hidden():
    shown = hide_rest(IMAGE, SUPERPIXELS, np.array([2, 7, 9]))
    kept = (SUPERPIXELS == 2) | (SUPERPIXELS == 7) | (SUPERPIXELS == 9)
    np.testing.assert_array_equal(shown[kept], IMAGE[kept])
    assert (shown[~kept] == 0).all()


def test_a_sign_stands_inside_its_superpixel_even_if_that_is_a_ring():
    y, x = np.mgrid[:21, :21]
    ring = np.abs(np.hypot(y - 10, x - 10) - 8) < 1
    assert ring[inner_pixel(ring)]


def test_lime_panels_are_three_pictures_wide(tmp_path):
    coefficients = GENERATOR.normal(size=SUPERPIXELS.max() + 1)
    draw_lime_panels(panels(coefficients, "$x: astro"), tmp_path / "lime.png")
    with Image.open(tmp_path / "lime.png") as picture:
        assert picture.width == round(9.6 * DPI)
        assert picture.width > 2.5 * picture.height


def test_a_surrogate_without_a_positive_coefficient_is_drawn(tmp_path):
    draw_lime_panels(panels(np.zeros(12)), tmp_path / "zero.png")
    draw_lime_panels(panels(-np.ones(12)), tmp_path / "minus.png")
    assert (tmp_path / "zero.png").read_bytes() != (tmp_path / "minus.png").read_bytes()


def test_the_panels_are_the_image_the_strongest_superpixels_and_both_signs(tmp_path, drawn):
    coefficients = np.linspace(-1, 1, SUPERPIXELS.max() + 1)
    draw_lime_panels(panels(coefficients), tmp_path / "lime.png")
    original, strongest, both = drawn.panels
    np.testing.assert_array_equal(original.images[0].get_array(), IMAGE)
    kept = top_positive(coefficients, 3)
    np.testing.assert_array_equal(
        strongest.images[0].get_array(), hide_rest(IMAGE, SUPERPIXELS, kept)
    )
    assert sorted(text.get_text() for text in both.texts) == sorted("+++−−−")
    assert len(both.texts) == N_SIGNS
    assert "3 strongest for it, rest hidden" in drawn.texts


def test_a_mask_is_what_the_second_panel_shows_outlined(tmp_path, drawn):
    coefficients = np.linspace(-1, 1, SUPERPIXELS.max() + 1)
    options = LimeMask(positive_only=False, hide_rest=True, num_features=2)
    draw_lime_panels(panels(coefficients), tmp_path / "lime.png", options)
    _, strongest, _ = drawn.panels
    shown, mask = image_and_mask(IMAGE, SUPERPIXELS, coefficients, options)
    assert sorted({*mask.flat}) == [-1, 0, 1]
    np.testing.assert_array_equal(strongest.images[0].get_array(), shown)
    assert len(strongest.collections) == 1
    assert "at most 2 strongest, rest hidden" in drawn.texts


def test_a_mask_of_nothing_says_so(tmp_path, drawn):
    draw_lime_panels(panels(-np.ones(12)), tmp_path / "lime.png", LimeMask())
    assert "at most 5 for it: none" in drawn.texts
