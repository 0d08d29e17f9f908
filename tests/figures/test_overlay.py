"""What is laid over an image."""

import numpy as np
from matplotlib.colors import to_rgb

from cellxai.figures.colours import NEGATIVE, POSITIVE
from cellxai.figures.overlay import (
    DARKEST,
    STRONGEST_TINT,
    boundary_segments,
    robust_limit,
    tint_by_sign,
)

GENERATOR = np.random.default_rng(0)
IMAGE = GENERATOR.random((12, 16, 3)) * 0.9 + 0.05


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
