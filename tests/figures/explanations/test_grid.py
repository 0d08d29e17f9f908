import numpy as np
import pytest
from PIL import Image

from cellxai.figures.explanations.grid import (
    CELL_INCHES,
    MARGIN_INCHES,
    MOST_ACROSS,
    MOST_DOWN,
    GridRow,
    draw_grid,
    spread_out,
)
from cellxai.figures.style import DPI

IMAGE = np.linspace(0, 1, 20 * 20 * 3).reshape(20, 20, 3)


def row(n_explainers: int) -> GridRow:
    values = np.linspace(-1, 1, 400).reshape(20, 20)
    maps = {f"method {i}": values for i in range(n_explainers)}
    statuses = dict.fromkeys(maps, "ok")
    if n_explainers:
        maps["method 0"], statuses["method 0"] = np.full((20, 20), np.nan), "unsupported"
    return GridRow("astro\n→ cort (0.51)", IMAGE, maps, statuses)


@pytest.mark.parametrize(("n_explainers", "n_blocks"), [(1, 1), (MOST_ACROSS, 1), (20, 3)])
def test_many_explainers_go_on_below_instead_of_shrinking(n_explainers, n_blocks, tmp_path):
    draw_grid([row(n_explainers)] * 2, tmp_path / "grid.png")
    width, height = Image.open(tmp_path / "grid.png").size
    columns = min(n_explainers, MOST_ACROSS) + 1
    assert width == pytest.approx((columns * CELL_INCHES + MARGIN_INCHES) * DPI, abs=1)
    assert height == pytest.approx((2 * CELL_INCHES + MARGIN_INCHES) * n_blocks * DPI, abs=1)


@pytest.mark.parametrize("n_images", [1, MOST_DOWN, MOST_DOWN + 1, 5 * MOST_DOWN])
def test_of_many_images_some_of_all_places_are_drawn(n_images):
    rows = [row(number) for number in range(n_images)]
    chosen = [len(drawn.maps) for drawn in spread_out(rows)]
    assert min(n_images, MOST_DOWN // 2) < len(chosen) + 1 <= MOST_DOWN + 1
    assert chosen == [*range(0, n_images, chosen[1])] if len(chosen) > 1 else chosen == [0]
