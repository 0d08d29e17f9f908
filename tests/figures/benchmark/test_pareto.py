"""Quality against cost: any number of methods, hostile names, a cost of nothing."""

import pytest

from cellxai.figures.benchmark.pareto import PricedMethod, draw_pareto

NAME = "method $x_{} with a very long name indeed"


@pytest.mark.parametrize("n", [1, 3, 23])
def test_every_method_is_a_dot_and_a_line_of_the_list_with_a_cost_of_nothing_too(
    tmp_path, drawn, n
):
    dots = [PricedMethod(NAME.format(i), 1.0 + i, 0.5 * i, i < 2, i > 2) for i in range(n)]
    draw_pareto(dots, tmp_path / "pareto.png", "title")
    plane, _ = drawn.panels
    assert [scatter.get_offsets()[0].tolist() for scatter in plane.collections] == [
        [max(0.5 * i, 1e-4), 1.0 + i] for i in range(n)
    ]
    assert plane.get_xscale() == "log"
    assert [text for text in drawn.texts if text.startswith("method $x_")] == [
        NAME.format(i)[:21] + "…" for i in range(n)
    ]
    assert "mean rank (1 is the best)" in drawn.texts


def test_the_front_steps_through_its_methods_alone(tmp_path, drawn):
    dots = [PricedMethod(f"m{i}", 3.0 - i, 1.0 + i, i != 1, False) for i in range(3)]
    draw_pareto(dots, tmp_path / "pareto.png", "title")
    (front,) = drawn.panels[0].lines
    assert front.get_xydata().tolist() == [[1.0, 3.0], [3.0, 1.0]]
