"""Every explainer in every family, and where the bars of scores stand."""

from math import inf, isnan, nan

from cellxai.files.folder import RunFolder
from cellxai.report.benchmark.bars import MIDDLE, scale_of
from cellxai.report.benchmark.section import benchmark_section


def test_a_bar_goes_from_the_lowest_to_the_highest_number():
    scale = scale_of([2.0, nan, -2.0, inf])
    assert [scale.place(value) for value in (-2.0, 0.0, 2.0)] == [0, 50, 100]
    assert isnan(scale.place(nan))
    assert scale_of([3.0, 3.0]).place(3.0) == MIDDLE
    assert scale_of([nan]).place(0.5) == 50


def test_explainers_stand_by_the_first_family_and_controls_last(run):
    content = benchmark_section(RunFolder(run), "").content
    first, second = content.families
    names = [standing.explainer for standing in content.standings]
    assert names == [line.explainer for line in first.lines]
    assert [standing.control for standing in content.standings][-2:] == [True, True]
    ranks = {line.explainer: line.rank for line in second.lines}
    assert [s.ranks[1] for s in content.standings] == [ranks[name] for name in names]
