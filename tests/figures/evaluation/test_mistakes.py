"""The sheet of mistakes."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.evaluation.mistakes import MistakePanel, draw_mistakes, headline
from cellxai.figures.style import shorten


@pytest.mark.parametrize(
    ("shown", "all_of_them", "expected"),
    [
        (1, 1, "The only mistake"),
        (3, 3, "All 3 mistakes, the most confident first"),
        (12, 31, "The 12 most confident of 31 mistakes"),
    ],
)
def test_the_headline_says_how_many_of_how_many(shown, all_of_them, expected):
    assert headline(shown, all_of_them) == expected


def test_a_name_is_cut_to_what_fits():
    assert shorten("astro") == "astro"
    assert shorten("a" * 30, 10) == "a" * 9 + "…"


@pytest.mark.parametrize("n", [1, 4, 6])
def test_any_number_of_mistakes_of_any_shape_is_drawn(tmp_path, drawn, n):
    image = np.zeros((20, 30, 3))
    panels = [MistakePanel(f"$i{i}", image, "a", "b" * 50, 0.9, 0.1) for i in range(n)]
    draw_mistakes(panels, tmp_path / "mistakes.png", n)
    with Image.open(tmp_path / "mistakes.png") as picture:
        assert picture.width >= 500
    assert [path.name for path in tmp_path.iterdir()] == ["mistakes.png"]
    assert sum(len(axes.images) for axes in drawn.panels) == n
    captions = [text for text in drawn.texts if text.startswith(("$i", "labelled", "predicted"))]
    assert len(captions) == 3 * n
    assert captions[:2] == ["$i0", "labelled a: 10.0 %"]
    assert captions[2] == f"predicted {'b' * 17}…: 90.0 %"
