"""Agreement of methods: any number, pairs that cannot be compared, hostile names."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import leaves_list, linkage

from cellxai.figures.benchmark.agreement import draw_agreement

NAME = "$x_{}: a method with a very long name indeed"


@pytest.mark.parametrize("n", [2, 23])
def test_agreement_stands_in_the_order_of_the_tree_with_a_dash_for_holes(tmp_path, drawn, n):
    points = np.random.default_rng(0).normal(size=(n, 4))
    agreement = np.corrcoef(points)
    agreement[0, 1] = agreement[1, 0] = np.nan
    names = [NAME.format(i) for i in range(n)]
    tree = linkage(points, "average")
    draw_agreement(names, agreement, tree, names[:1], tmp_path / "agreement.png", "title")
    cells, branches = drawn.panels
    order = leaves_list(tree)
    shown = np.ma.filled(cells.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(shown, agreement[np.ix_(order, order)])
    labels = [label.get_text() for label in cells.get_yticklabels()]
    assert labels == [names[leaf][:23] + "…" for leaf in order]
    assert [text.get_text() for text in cells.texts].count("–") == 2
    assert len(branches.lines) == n - 1 + 1  # a bracket per merger, and the limit
    assert "title" in drawn.texts
