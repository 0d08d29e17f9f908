import pytest
import torch

from gmm.plots.criterion import plot_criterion
from gmm.selection import sweep


@pytest.mark.parametrize("as_tensor", [False, True])
def test_the_minimum_of_the_criterion_is_marked_and_named(blobs, as_tensor):
    x = torch.from_numpy(blobs) if as_tensor else blobs
    found = sweep(x, [1, 2, 3], ["full", "diag"], n_init=2)
    axes = plot_criterion(found)
    assert f"{found.best.n_components} components" in axes.get_title("left")
    labelled = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    assert [line.get_label() for line in labelled] == ["full", "diag"]
    assert list(labelled[0].get_ydata()) == [row.bic for row in found.rows[:3]]


def test_several_criteria_have_a_line_and_a_ring_each(blobs):
    found = sweep(blobs, [1, 2, 3], ["full"], n_init=2)
    axes = plot_criterion(found, ["bic", "aic"])
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["AIC"].get_ydata()) == [row.aic for row in found.rows]
    rings = [line for line in axes.lines if line.get_markersize() > 10]
    least = {min(row.bic for row in found.rows), min(row.aic for row in found.rows)}
    assert {float(ring.get_ydata()[0]) for ring in rings} == least


def test_a_criterion_that_was_not_computed_is_refused(blobs):
    found = sweep(blobs, [1, 2], ["full"], n_init=1)
    with pytest.raises(ValueError, match=r"^criterion 'held_out' was not computed; sweep with"):
        plot_criterion(found, ["bic", "held_out"])
