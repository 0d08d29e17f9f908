"""Ranks by method and family: any shape, missing ranks, hostile names."""

import numpy as np
import pytest

from cellxai.figures.benchmark.rank_table import draw_rank_table
from cellxai.figures.colours import GREY

NAME = "method $x_{} with a very long name indeed"


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (23, 7)])
def test_every_rank_is_written_a_dash_where_there_is_none_and_a_tick_where_controls_are_beaten(
    tmp_path, drawn, shape
):
    ranks = np.random.default_rng(0).uniform(1, 9, shape)
    ranks[-1] = np.nan
    methods = [NAME.format(i) for i in range(shape[0])]
    families = [f"family {i}" for i in range(shape[1])]
    beaten = {(methods[0], families[0])} if shape[0] > 1 else set()
    path = tmp_path / "ranks.png"
    draw_rank_table(methods, families, ranks, beaten, methods[-1:], path, "t")
    (table,) = drawn.panels
    cells = [text.get_text() for text in table.texts]
    expected = [f"{rank:.1f}" for rank in ranks[:-1].ravel()] + ["–"] * shape[1]
    if beaten:
        expected[0] += " ✓"
    assert cells == expected
    assert table.get_yticklabels()[-1].get_color() == GREY
    assert {"t", *families} <= set(drawn.texts)
