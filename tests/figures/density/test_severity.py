"""AUROC against severity."""

import pytest
from PIL import Image

from cellxai.figures.colours import SERIES
from cellxai.figures.density.severity import SeverityScore, draw_severity

DETECTORS = [f"detector {number}" for number in range(9)]


def scores(n_corruptions: int, severities: list[float]) -> list[SeverityScore]:
    return [
        SeverityScore(detector, f"corruption {number}", severity, 0.7, 0.6, 0.8)
        for number in range(n_corruptions)
        for detector in DETECTORS
        for severity in severities
    ]


@pytest.mark.parametrize("severities", [[3], [1, 2, 3, 4, 5], list(range(20))])
@pytest.mark.parametrize("accent", [(), DETECTORS[:2]])
def test_any_severities_make_a_picture(tmp_path, drawn, severities, accent):
    draw_severity(scores(2, severities), tmp_path / "s.png", accent)
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.width > picture.height
    assert len(drawn.panels) == 2
    for axes in drawn.panels:
        curves = [line for line in axes.lines if len(line.get_xdata()) == len(severities)]
        assert sum(list(line.get_xdata()) == severities for line in curves) == len(DETECTORS)
        assert len(axes.collections) == (
            len(accent) or len(SERIES)
        )  # intervals, of those in colour
    assert "other detectors" in drawn.texts


def test_corruptions_fill_rows_of_four(tmp_path):
    draw_severity(scores(4, [1, 2]), tmp_path / "four.png")
    draw_severity(scores(8, [1, 2]), tmp_path / "eight.png")
    with Image.open(tmp_path / "four.png") as four, Image.open(tmp_path / "eight.png") as eight:
        assert eight.width == four.width
        assert eight.height > 1.5 * four.height


def test_nothing_to_draw_is_an_error_that_names_the_picture(tmp_path):
    with pytest.raises(ValueError, match=r"s\.png: no score"):
        draw_severity([], tmp_path / "s.png")
