"""A data set at a glance."""

import numpy as np
from PIL import Image

from cellxai.figures.dataset import ContrastRow, draw_contrast, draw_counts, draw_spread


def size(path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_counts_grow_with_the_number_of_classes(tmp_path):
    draw_counts({"a": 3}, tmp_path / "one.png")
    draw_counts({f"$class {i}": i for i in range(1, 20)}, tmp_path / "many.png")
    assert size(tmp_path / "many.png")[1] > 3 * size(tmp_path / "one.png")[1]


def test_grey_and_colour_of_any_shape_are_drawn_before_and_after(tmp_path):
    random = np.random.default_rng(0)
    grey, colour = (random.integers(0, 256, (12, 30, c), dtype=np.uint8) for c in (1, 3))
    rows = [ContrastRow("a", "one", grey, grey // 2), ContrastRow("b", "two", colour, colour)]
    draw_contrast(rows, tmp_path / "clahe.png")
    assert size(tmp_path / "clahe.png")[0] > 900


def test_the_same_numbers_are_the_same_picture_also_for_a_class_of_one_image(tmp_path):
    values = {"a": np.array([1.0, 2.0, 2.0, 5.0]), "b": np.array([3.0])}
    for name in ("first.png", "again.png"):
        draw_spread({"sd": values, "mean": values}, tmp_path / name, "numbers")
    first, again = (np.array(Image.open(tmp_path / name)) for name in ("first.png", "again.png"))
    np.testing.assert_array_equal(first, again)
