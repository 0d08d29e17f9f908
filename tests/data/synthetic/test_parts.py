import numpy as np
import pytest

from cellxai.data.synthetic.parts import blob, paths, pen_correction, ribbons, rotate, shapes


def area(outline: np.ndarray) -> float:
    x, y = outline.T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def test_a_quarter_turn_takes_x_to_y():
    points = np.array([[[2.0, 0.0], [0.0, 3.0]], [[2.0, 0.0], [0.0, 3.0]]])
    turned = rotate(points, np.array([np.pi / 2, np.pi]))
    expected = [[[0, 2], [-3, 0]], [[-2, 0], [0, -3]]]
    np.testing.assert_allclose(turned, expected, atol=1e-12)


def test_without_roughness_a_blob_is_a_circle():
    radius = np.array([3.0, 7.0])
    outlines = blob(np.random.default_rng(0), radius, 90, 0.0)
    np.testing.assert_allclose(np.linalg.norm(outlines, axis=-1), radius[:, None].repeat(90, 1))
    assert area(outlines[1]) == pytest.approx(np.pi * 49, rel=2e-3)
    rough = blob(np.random.default_rng(0), radius, 90, 0.2)
    assert np.linalg.norm(rough, axis=-1).std(1).min() > 0.1


def test_paths_start_where_they_are_told_to_and_have_their_length():
    start, length = np.array([[1.0, 2.0], [5.0, -3.0]]), np.array([30.0, 90.0])
    heading = np.array([0.0, np.pi / 2])
    courses = paths(np.random.default_rng(0), start, heading, length, 0.2, 9)
    assert courses.shape == (2, 10, 2)
    np.testing.assert_array_equal(courses[:, 0], start)
    steps = np.linalg.norm(np.diff(courses, axis=1), axis=-1)
    np.testing.assert_allclose(steps, (length / 9)[:, None].repeat(9, 1))
    straight = paths(np.random.default_rng(0), start, heading, length, 0.0, 9)
    np.testing.assert_allclose(straight[:, -1], start + np.array([[30, 0], [0, 90]]), atol=1e-12)


def test_a_ribbon_about_a_straight_line_is_a_rectangle():
    line = np.stack([np.linspace(0, 20, 6), np.full(6, 4.0)], -1)[None]
    (outline,) = ribbons(line, np.full((1, 6), 3.0))
    assert area(outline) == pytest.approx(60, rel=1e-6)
    assert set(np.round(outline[:, 1], 6)) == {2.5, 5.5}


def test_the_pen_is_made_up_for_in_small_frames_alone():
    width = np.array([0.5, 2.0, 50.0])
    np.testing.assert_array_equal(pen_correction(width, 1.0), 1)
    small = pen_correction(width / 4, 0.25)
    assert (small < 1).all()
    assert (np.diff(small) > 0).all()
    # Drawn width times thickness is that of a frame of the real size.
    np.testing.assert_allclose((width / 4 + 1.2) * small * 4, width + 1.2)


def test_corners_are_sixteenths_of_a_pixel():
    (shape,) = shapes(np.array([[[0.5, 1.0], [2.03, -1.0], [0.0, 0.0]]]), np.array([-39.6]))
    assert shape.outline.tolist() == [[8, 16], [32, -16], [0, 0]]
    assert (shape.outline.dtype, shape.thickness) == (np.int32, -40)
