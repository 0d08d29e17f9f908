"""Pareto, rank table and agreement: any size, missing values, hostile names."""

import numpy as np
import pytest
from PIL import Image
from scipy.cluster.hierarchy import linkage

from cellxai.figures.agreement import draw_agreement
from cellxai.figures.pareto import PricedMethod, draw_pareto
from cellxai.figures.rank_table import draw_rank_table

NAME = "method $x_{} with a very long name indeed"


def looks_drawn(path) -> bool:
    with Image.open(path) as picture:
        return len(picture.convert("RGB").getcolors(2**24)) > 20


@pytest.mark.parametrize("n", [1, 3, 23])
def test_dots_of_any_number_are_drawn_with_a_cost_of_nothing_too(tmp_path, n):
    dots = [PricedMethod(NAME.format(i), 1.0 + i, 0.5 * i, i < 2, i > 2) for i in range(n)]
    draw_pareto(dots, tmp_path / "pareto.png", "title")
    assert looks_drawn(tmp_path / "pareto.png")


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (23, 7)])
def test_ranks_are_drawn_with_holes(tmp_path, shape):
    ranks = np.random.default_rng(0).uniform(1, 9, shape)
    ranks[-1] = np.nan
    methods = [NAME.format(i) for i in range(shape[0])]
    families = [f"family {i}" for i in range(shape[1])]
    path = tmp_path / "ranks.png"
    draw_rank_table(methods, families, ranks, {(methods[0], families[0])}, methods[-1:], path, "t")
    assert looks_drawn(path)


@pytest.mark.parametrize("n", [2, 23])
def test_agreement_is_drawn_with_holes(tmp_path, n):
    points = np.random.default_rng(0).normal(size=(n, 4))
    agreement = np.corrcoef(points)
    agreement[0, 1] = agreement[1, 0] = np.nan
    names = [NAME.format(i) for i in range(n)]
    path = tmp_path / "agreement.png"
    draw_agreement(names, agreement, linkage(points, "average"), names[:1], path, "title")
    assert looks_drawn(path)
