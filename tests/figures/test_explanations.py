"""LIME's panels and the comparison strip."""

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from cellxai.figures.explanations import (
    DARKEST,
    STRONGEST_TINT,
    boundary_segments,
    draw_comparison,
    draw_lime_panels,
    hide_rest,
    inner_pixel,
    robust_limit,
    tint_by_sign,
    top_positive,
)
from cellxai.figures.style import DPI, NEGATIVE, POSITIVE

GENERATOR = np.random.default_rng(0)
IMAGE = GENERATOR.random((12, 16, 3)) * 0.9 + 0.05
SUPERPIXELS = np.arange(12)[:, None] // 4 * 4 + np.arange(16)[None] // 4


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


def test_zero_evidence_leaves_a_pale_grey_image_and_full_evidence_has_the_colour_of_its_sign():
    values = np.zeros((12, 16))
    values[0, 0], values[0, 1], values[0, 2] = 3.0, -3.0, np.nan
    tinted = tint_by_sign(IMAGE, values, limit=2.0)
    grey = DARKEST + (1 - DARKEST) * IMAGE.mean(-1, keepdims=True).repeat(3, -1)
    np.testing.assert_allclose(tinted[1:], grey[1:])
    np.testing.assert_allclose(tinted[0, 2], grey[0, 2])
    for column, colour in ((0, POSITIVE), (1, NEGATIVE)):
        mixed = (1 - STRONGEST_TINT) * grey[0, column] + STRONGEST_TINT * np.array(to_rgb(colour))
        np.testing.assert_allclose(tinted[0, column], mixed)


def test_one_hot_pixel_does_not_set_the_colour_scale():
    values = GENERATOR.normal(size=(50, 50))
    hot = values.copy()
    hot[0, 0] = 1e6
    assert robust_limit(hot) < 1.05 * robust_limit(values)


def test_a_sparse_map_and_a_map_of_zeros_have_a_scale():
    sparse = np.zeros((50, 50))
    assert robust_limit(sparse) == 1.0
    sparse[3, 3] = -2.0
    assert robust_limit(sparse) == 2.0
    assert robust_limit(np.array([np.nan, np.nan])) == 1.0


def test_boundaries_run_between_pixels_of_different_labels_and_nowhere_else():
    labels = np.array([[0, 0, 1], [0, 0, 1]])
    expected = {((1.5, -0.5), (1.5, 0.5)), ((1.5, 0.5), (1.5, 1.5))}
    segments = {tuple(map(tuple, segment)) for segment in boundary_segments(labels).tolist()}
    assert segments == expected
    assert boundary_segments(np.zeros((3, 3), int)).shape == (0, 2, 2)


def test_a_sign_stands_inside_its_superpixel_even_if_that_is_a_ring():
    y, x = np.mgrid[:21, :21]
    ring = np.abs(np.hypot(y - 10, x - 10) - 8) < 1
    assert ring[inner_pixel(ring)]


def test_lime_panels_are_three_pictures_wide(tmp_path):
    coefficients = GENERATOR.normal(size=SUPERPIXELS.max() + 1)
    draw_lime_panels(IMAGE, SUPERPIXELS, coefficients, tmp_path / "lime.png", "$x: astro")
    with Image.open(tmp_path / "lime.png") as picture:
        assert picture.width == round(9.6 * DPI)
        assert picture.width > 2.5 * picture.height


def test_a_surrogate_without_a_positive_coefficient_is_drawn(tmp_path):
    draw_lime_panels(IMAGE, SUPERPIXELS, np.zeros(12), tmp_path / "zero.png", "x")
    draw_lime_panels(IMAGE, SUPERPIXELS, -np.ones(12), tmp_path / "minus.png", "x")
    assert (tmp_path / "zero.png").read_bytes() != (tmp_path / "minus.png").read_bytes()


def test_an_explainer_without_a_map_keeps_its_place_in_the_strip(tmp_path):
    maps = {name: GENERATOR.normal(size=(12, 16)) for name in ("a", "b", "c")}
    draw_comparison(IMAGE, maps, tmp_path / "three.png", "x")
    notes = {"lrp": "unsupported: Conv2dSame has no rule"}
    draw_comparison(IMAGE, maps, tmp_path / "four.png", "x", notes=notes)
    with Image.open(tmp_path / "three.png") as three, Image.open(tmp_path / "four.png") as four:
        assert four.height > three.height  # a second row


def test_cells_and_cause_are_outlined_on_the_original(tmp_path):
    maps = {"a": np.zeros((12, 16))}
    cells = (SUPERPIXELS == 5).astype(int)
    for name, outlines in {"none": {}, "cells": {"mask": cells}, "cause": {"cause": cells}}.items():
        draw_comparison(IMAGE, maps, tmp_path / f"{name}.png", "x", **outlines)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 3
