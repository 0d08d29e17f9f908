"""Plates as they stand on the bench."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from cellxai.figures.colours import SHARES
from cellxai.figures.evaluation.plates import PlateRow, draw_plates


def plate(shape: tuple[int, int], n_panels: int, name: str = "P1") -> PlateRow:
    values = np.linspace(0, 1, shape[0] * shape[1]).reshape(shape)
    values[0, 1] = np.nan
    rows = [chr(65 + row) for row in range(shape[0])]
    return PlateRow(name, rows, {f"number {i}": values for i in range(n_panels)})


@pytest.mark.parametrize(("shape", "n_panels", "n_plates"), [((8, 12), 3, 2), ((16, 24), 1, 1)])
def test_each_well_has_its_colour_and_its_place_and_a_missing_one_is_a_ring(
    tmp_path, drawn, shape, n_panels, n_plates
):
    plates = [plate(shape, n_panels, f"P{i}") for i in range(n_plates)]
    draw_plates(plates, tmp_path / "plates.png", "test images by well")
    axes = drawn.panels[0]
    circles = {tuple(map(round, circle.center)): circle for circle in axes.patches}
    assert len(circles) == shape[0] * shape[1]
    assert circles[1, 0].get_facecolor() == to_rgba("none")
    values = plates[0].panels["number 0"]
    assert circles[2, 1].get_facecolor() == pytest.approx(SHARES(float(values[1, 2])))
    assert axes.yaxis_inverted()
    written = [text.get_text() for text in axes.texts]
    assert len(written) == (shape[0] * shape[1] - 1 if shape == (8, 12) else 0)
    assert len(drawn.panels) == n_panels * n_plates + 1  # and the bar of colours
    assert {"A", "1", "P0", "number 0"} <= set(drawn.texts)
