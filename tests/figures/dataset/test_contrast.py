"""What CLAHE makes of an image of each class."""

import numpy as np
from PIL import Image

from cellxai.figures.dataset.contrast import TITLES, ContrastRow, draw_contrast


def test_grey_and_colour_of_any_shape_are_drawn_before_and_after(tmp_path, drawn):
    random = np.random.default_rng(0)
    grey, colour = (random.integers(0, 256, (12, 30, c), dtype=np.uint8) for c in (1, 3))
    rows = [ContrastRow("a", "one", grey, grey // 2), ContrastRow("b", "two", colour, colour)]
    draw_contrast(rows, tmp_path / "clahe.png")
    with Image.open(tmp_path / "clahe.png") as picture:
        assert picture.size[0] > 900
    before, after, levels, *_ = drawn.panels
    np.testing.assert_array_equal(before.images[0].get_array(), grey[..., 0])
    np.testing.assert_array_equal(after.images[0].get_array(), grey[..., 0] // 2)
    assert len(levels.patches) == 2  # a histogram of each
    assert {"a", "b", "one", "two", *TITLES} <= set(drawn.texts)
