"""One number of every image, by class."""

import numpy as np
from PIL import Image

from cellxai.figures.dataset.spread import draw_spread

VALUES = {"a": np.array([1.0, 2.0, 2.0, 5.0]), "b": np.array([3.0])}


def test_the_same_numbers_are_the_same_picture_also_for_a_class_of_one_image(tmp_path):
    for name in ("first.png", "again.png"):
        draw_spread({"sd": VALUES, "mean": VALUES}, tmp_path / name, "numbers")
    first, again = (np.array(Image.open(tmp_path / name)) for name in ("first.png", "again.png"))
    np.testing.assert_array_equal(first, again)


def test_every_image_is_a_dot_at_its_number_in_the_row_of_its_class(tmp_path, drawn):
    draw_spread({"sd": VALUES}, tmp_path / "spread.png", "numbers")
    (axes,) = drawn.panels
    dots = [np.asarray(scatter.get_offsets()) for scatter in axes.collections[::2]]
    for row, (offsets, values) in enumerate(zip(dots, VALUES.values(), strict=True)):
        np.testing.assert_array_equal(offsets[:, 0], values)
        assert (np.abs(offsets[:, 1] - row) < 0.5).all()
    assert axes.get_xlabel() == "sd"
