import pytest
from table_files import line_of, read


def test_nothing_is_dropped_uncounted(folder):
    lines = read(folder / "table.csv")
    for line in lines:
        n = {name: int(line[f"n_{name}"]) for name in (
            "rows", "missing", "inapplicable", "images", "degenerate", "unsupported", "failed"
        )}  # fmt: skip
        assert n["rows"] + n["missing"] + n["inapplicable"] == 12
        assert n["images"] + n["degenerate"] + n["unsupported"] + n["failed"] == n["rows"]
    gradcam = line_of(lines, explainer="grad_cam", metric="deletion")
    guided = line_of(lines, explainer="guided_backprop", metric="deletion")
    assert (gradcam["n_degenerate"], gradcam["n_images"]) == ("1", "11")
    assert (guided["n_unsupported"], guided["mean"], guided["reason"]) == (
        "12", "", "no ReLU to override",
    )  # fmt: skip
    assert line_of(lines, explainer="lime", metric="cells_hit")["n_inapplicable"] == "3"


def test_who_beats_the_controls_is_said_and_chance_stands_beside(folder):
    lines = read(folder / "table.csv")
    lime = line_of(lines, explainer="lime", metric="cells_hit")
    assert (lime["beats_controls"], lime["chance"]) == ("yes", "0.033")
    assert line_of(lines, explainer="random", metric="cells_hit")["beats_controls"] == ""
    guided = line_of(lines, explainer="guided_backprop", metric="cells_hit")
    assert guided["beats_controls"] == "untestable"


def test_ranks_are_of_families_and_metrics_with_their_test(folder):
    lines = read(folder / "ranks.csv")
    lime = line_of(lines, level="family", name="faithfulness", explainer="lime")
    assert (lime["mean_rank"], lime["n_ranked"], lime["n_images"]) == ("1.0", "6", "12")
    assert float(lime["friedman_p"]) < 0.001
    assert lime["beats_controls"] == "yes"
    unranked = line_of(lines, level="metric", name="deletion", explainer="guided_backprop")
    assert (unranked["mean_rank"], unranked["beats_controls"]) == ("", "untestable")
    assert len(lines) == 7 * (2 + 3)


def test_comparisons_name_the_better_one_in_the_metrics_own_direction(folder):
    lines = read(folder / "comparisons.csv")
    for metric, difference in (("deletion", -0.05), ("insertion", 0.05)):
        line = line_of(lines, metric=metric, first="lime", second="saliency")
        line = line or line_of(lines, metric=metric, first="saliency", second="lime")
        assert float(line["median_difference"]) == pytest.approx(difference)
        assert line["better"] == "lime"
    assert not [line for line in lines if "guided_backprop" in line.values()]


def test_agreement_has_every_pair_and_cost_every_explainer_and_metric(folder):
    agreement = read(folder / "agreement.csv")
    assert len(agreement) == 3 * 7 * 6 / 2
    pair = line_of(agreement, similarity="rank correlation", first="edges", second="random")
    assert (pair["n_images"], -1 <= float(pair["mean"]) <= 1) == ("12", True)
    guided = [line for line in agreement if "guided_backprop" in line.values()]
    assert all((line["mean"], line["n_images"]) == ("", "0") for line in guided)
    costs = read(folder / "cost.csv")
    lime = line_of(costs, kind="explainer", name="lime")
    assert (lime["forwards"], float(lime["seconds"])) == ("500.0", pytest.approx(6.1))
    assert line_of(costs, kind="explainer", name="guided_backprop")["n_unsupported"] == "12"
    assert {line["name"] for line in costs if line["kind"] == "metric"} == {
        "deletion", "insertion", "cells_hit",
    }  # fmt: skip
