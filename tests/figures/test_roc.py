"""ROC and precision-recall curves."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.roc import Curve, draw_roc, headline, legend_line

STEPS = np.linspace(0, 1, 9)


def curve(name: str, problem: str = "") -> Curve:
    areas = (None, None) if problem else (0.75, 0.6)
    return Curve(name, STEPS, np.sqrt(STEPS), 1 - STEPS / 2, *areas, 0.3, problem)


def test_a_class_without_a_curve_is_named_with_its_reason():
    told = headline([curve("a"), curve("b", "no image of this class in this part")], "test")
    assert told.endswith("no curve: b (no image of this class in this part)")
    assert "no curve" not in headline([curve("a")], "test")
    assert headline([curve("a", "none")] * 5, "test").endswith("…")


def test_the_legend_has_the_area():
    assert legend_line("astro", 0.98765) == "astro 0.988"
    assert legend_line("astro", None) == "astro"


@pytest.mark.parametrize("n_classes", [1, 3, 40])
def test_any_number_of_classes_is_drawn(tmp_path, n_classes):
    mean = Curve("macro", STEPS, np.sqrt(STEPS), None, 0.7, 0.6)
    curves = [curve(f"$class {i}") for i in range(n_classes)] + [mean]
    draw_roc(curves, tmp_path / "roc.png", "test")
    with Image.open(tmp_path / "roc.png") as picture:
        assert picture.size == (1152, 588)


def test_a_part_without_any_curve_is_still_a_picture(tmp_path):
    draw_roc([curve("a", "no image of any other class in this part")], tmp_path / "roc.png", "test")
    assert (tmp_path / "roc.png").is_file()
