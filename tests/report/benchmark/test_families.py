import pytest

from cellxai.report.benchmark.families import best_means, read_family, read_family_ranks, read_score
from cellxai.report.saved_files import read_rows


def test_the_best_is_the_lowest_where_lower_is_better(run):
    scores = [read_score(row) for row in read_rows(run / "benchmark" / "table.csv")]
    best = best_means(scores)
    assert best["deletion"] == min(
        score.mean for score in scores if score.metric == "deletion" and not score.control
        and score.mean == score.mean
    )  # fmt: skip
    assert best["insertion"] == pytest.approx(0.5)


def test_a_family_without_ranks_stands_by_name_and_its_controls_last(run):
    rows = read_rows(run / "benchmark" / "table.csv")
    scores = [score for score in map(read_score, rows) if score.family == "localisation"]
    family = read_family("localisation", scores, [], [])
    assert family.ranked == "not ranked"
    assert [line.explainer for line in family.lines] == [
        "grad_cam", "guided_backprop", "lime", "occlusion", "saliency", "edges", "random",
    ]  # fmt: skip
    assert family.n_methods == 5
    assert [column.chance for column in family.columns] == [0.033]
    assert family.winners == ()


def test_a_score_counts_what_became_of_the_rest(run):
    rows = read_rows(run / "benchmark" / "table.csv")
    remarks = {(row["explainer"], row["metric"]): read_score(row).remarks for row in rows}
    assert remarks["grad_cam", "deletion"] == "1 degenerate"
    assert remarks["guided_backprop", "insertion"] == "12 unsupported"
    assert remarks["lime", "deletion"] == ""


def test_ranks_of_families_leave_those_of_metrics_out(run):
    rows = read_rows(run / "benchmark" / "ranks.csv")
    ranks = read_family_ranks(rows)
    assert len(rows) == 35
    assert [(rank.family, rank.explainer) for rank in ranks[:2]] == [
        ("faithfulness", "grad_cam"), ("faithfulness", "guided_backprop"),
    ]  # fmt: skip
    assert len(ranks) == 14
    assert ranks[1].rank != ranks[1].rank  # it has no score
