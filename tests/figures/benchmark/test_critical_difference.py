import pytest
from PIL import Image

from cellxai.figures.benchmark.critical_difference import draw_critical_difference, stack_bars


def test_bars_that_would_touch_lie_in_different_rows():
    assert stack_bars([(1, 3), (2, 4), (3.5, 5), (4.5, 6)]) == [0, 1, 0, 1]
    assert stack_bars([(1, 3), (3.2, 5)], gap=0.5) == [0, 1]
    assert stack_bars([]) == []


@pytest.mark.parametrize("n", [2, 3, 23])
@pytest.mark.parametrize("difference", [1.5, float("nan")])
def test_any_number_of_methods_is_drawn(tmp_path, drawn, n, difference):
    ranks = {f"method ${i} with a long name": 1.0 + i for i in range(n)}
    names = list(ranks)
    path = tmp_path / "cd.png"
    draw_critical_difference(ranks, [names[:2]], difference, path, "title", names[:1], names[1:])
    with Image.open(path) as picture:
        assert picture.width == 1152
        assert picture.height > 120 + 20 * (n // 2)
    written = [text for text in drawn.texts if "method $" in text]
    assert len(written) == n
    assert written[0].endswith("1.0")  # the best stands on the left, before its rank
    shown = difference <= n - 1
    assert ("critical difference 1.50" in drawn.texts) == shown
