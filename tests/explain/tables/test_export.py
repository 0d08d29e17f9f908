import csv
import math
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from pyarrow import parquet

from cellxai.explain.results.rows import Measure, ScoreRow
from cellxai.explain.results.score_arrays import Results
from cellxai.explain.results.store import Store
from cellxai.explain.tables.columns import (
    AgreementLine,
    ComparisonLine,
    CostLine,
    RankLine,
    ScoreLine,
)
from cellxai.explain.tables.export import write_results, write_tables

HOSTILE = "a|b_c & 50% <b>x</b> $y$ [z] \\end{tabular}\n~^#{}"
ROW = ScoreRow("a", "lime", "gini", 0, 0.25, math.nan, "ok", "", 100, 0, 2.0)
GINI = Measure("gini", "Gini", "complexity", "higher", 0.0, 1.0, "")


@pytest.fixture(scope="module")
def folder(invented_results, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_results(folder, invented_results)
    return folder


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def of(lines: list[dict[str, str]], **wanted: str) -> dict[str, str]:
    (line,) = [candidate for candidate in lines if wanted.items() <= candidate.items()]
    return line


def test_parquet_holds_exactly_what_the_csv_says(folder):
    table = parquet.read_table(folder / "table.parquet")
    texts = [
        {name: "" if v is None else {True: "yes", False: "no"}.get(v, str(v))
         if isinstance(v, bool) else str(v) for name, v in line.items()}
        for line in table.to_pylist()
    ]  # fmt: skip
    assert texts == read(folder / "table.csv")
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["mean"], types["n_images"], types["control"]) == ("double", "int64", "bool")


def test_every_explainer_stands_under_every_metric(folder, invented_results):
    lines = read(folder / "table.csv")
    pairs = [(line["explainer"], line["metric"]) for line in lines]
    assert len(set(pairs)) == len(pairs) == 7 * 3
    assert {line["explainer"] for line in lines if line["control"] == "yes"} == {"edges", "random"}


def test_nothing_is_dropped_uncounted(folder):
    lines = read(folder / "table.csv")
    for line in lines:
        n = {name: int(line[f"n_{name}"]) for name in (
            "rows", "missing", "inapplicable", "images", "degenerate", "unsupported", "failed"
        )}  # fmt: skip
        assert n["rows"] + n["missing"] + n["inapplicable"] == 12
        assert n["images"] + n["degenerate"] + n["unsupported"] + n["failed"] == n["rows"]
    gradcam = of(lines, explainer="grad_cam", metric="deletion")
    guided = of(lines, explainer="guided_backprop", metric="deletion")
    assert (gradcam["n_degenerate"], gradcam["n_images"]) == ("1", "11")
    assert (guided["n_unsupported"], guided["mean"], guided["reason"]) == (
        "12", "", "no ReLU to override",
    )  # fmt: skip
    assert of(lines, explainer="lime", metric="cells_hit")["n_inapplicable"] == "3"


def test_who_beats_the_controls_is_said_and_chance_stands_beside(folder):
    lines = read(folder / "table.csv")
    lime = of(lines, explainer="lime", metric="cells_hit")
    assert (lime["beats_controls"], lime["chance"]) == ("yes", "0.033")
    assert of(lines, explainer="random", metric="cells_hit")["beats_controls"] == ""
    guided = of(lines, explainer="guided_backprop", metric="cells_hit")
    assert guided["beats_controls"] == "untestable"


def test_ranks_are_of_families_and_metrics_with_their_test(folder):
    lines = read(folder / "ranks.csv")
    lime = of(lines, level="family", name="faithfulness", explainer="lime")
    assert (lime["mean_rank"], lime["n_ranked"], lime["n_images"]) == ("1.0", "6", "12")
    assert float(lime["friedman_p"]) < 0.001
    assert lime["beats_controls"] == "yes"
    unranked = of(lines, level="metric", name="deletion", explainer="guided_backprop")
    assert (unranked["mean_rank"], unranked["beats_controls"]) == ("", "untestable")
    assert len(lines) == 7 * (2 + 3)


def test_comparisons_name_the_better_one_in_the_metrics_own_direction(folder):
    lines = read(folder / "comparisons.csv")
    for metric, difference in (("deletion", -0.05), ("insertion", 0.05)):
        line = of(lines, metric=metric, first="lime", second="saliency")
        line = line or of(lines, metric=metric, first="saliency", second="lime")
        assert float(line["median_difference"]) == pytest.approx(difference)
        assert line["better"] == "lime"
    assert not [line for line in lines if "guided_backprop" in line.values()]


def test_agreement_has_every_pair_and_cost_every_explainer_and_metric(folder):
    agreement = read(folder / "agreement.csv")
    assert len(agreement) == 3 * 7 * 6 / 2
    pair = of(agreement, similarity="rank correlation", first="edges", second="random")
    assert (pair["n_images"], -1 <= float(pair["mean"]) <= 1) == ("12", True)
    guided = [line for line in agreement if "guided_backprop" in line.values()]
    assert all((line["mean"], line["n_images"]) == ("", "0") for line in guided)
    costs = read(folder / "cost.csv")
    lime = of(costs, kind="explainer", name="lime")
    assert (lime["forwards"], float(lime["seconds"])) == ("500.0", pytest.approx(6.1))
    assert of(costs, kind="explainer", name="guided_backprop")["n_unsupported"] == "12"
    assert {line["name"] for line in costs if line["kind"] == "metric"} == {
        "deletion", "insertion", "cells_hit",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"),
    [("table", ScoreLine), ("comparisons", ComparisonLine), ("ranks", RankLine),
     ("agreement", AgreementLine), ("cost", CostLine)],
)  # fmt: skip
def test_every_column_is_described(folder, name, kind):
    header = (folder / f"{name}.csv").read_text(encoding="utf-8").split("\n")[0].strip()
    assert header.split(",") == [field.name for field in fields(kind)]
    assert all(f"        {field.name}: " in kind.__doc__ for field in fields(kind))


def test_markdown_marks_the_best_method_and_the_controls(folder):
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert text.index("### faithfulness") < text.index("### localisation")
    lime = next(line for line in text.split("\n") if line.startswith("| lime |"))
    assert lime.count("**") == 4
    assert "| *random* (control) |" in text
    assert "| chance | | | 0.033 |" in re.sub(" +", " ", text)
    assert "1 degenerate" in text
    assert "12 unsupported (no ReLU to override)" in text


def test_a_control_is_never_bold_even_if_it_is_the_best(tmp_path):
    rows = [ROW, replace(ROW, explainer="random", value=0.9)]
    write_results(tmp_path, Results(rows, [], {"gini": GINI}, controls=frozenset({"random"})))
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert ("**0.250**" in text, "**0.900**" in text) == (True, False)


def hostile_results() -> Results:
    rows = [
        replace(ROW, explainer=name, metric=HOSTILE, image=image, reason=HOSTILE, status="degraded")
        for name in (HOSTILE, "lime")
        for image in "ab"
    ]
    measure = Measure(HOSTILE, "", HOSTILE, "higher", 0.0, 1.0, "")
    return Results(rows, [], {HOSTILE: measure})


def test_hostile_names_keep_the_shape_of_both_tables(tmp_path):
    write_results(tmp_path, hostile_results())
    table = [
        line for line in (tmp_path / "table.md").read_text(encoding="utf-8").split("\n")
        if line.startswith("|")
    ]  # fmt: skip
    assert len(table) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {6}
    assert "<b>" not in "".join(table).replace("\\<b", "")
    text = (tmp_path / "table.tex").read_text(encoding="utf-8")
    assert_is_latex(text)
    assert read(tmp_path / "table.csv")[0]["explainer"] == HOSTILE


def test_latex_is_whole(folder):
    text = (folder / "table.tex").read_text(encoding="utf-8")
    assert_is_latex(text)
    assert text.count(r"\begin{tabular}") == 2
    assert text.count(r"\textbf{") == 3
    assert r"\emph{random} &" in text
    assert r"grad\_cam &" in text


def assert_is_latex(text: str) -> None:
    """Environments and braces close, every row has as many cells as the table has columns."""
    bare = re.sub(r"\\[\\&%$#_{}]", "", text.replace(r"\\", ""))
    assert bare.count("{") == bare.count("}")
    opened = re.findall(r"\\begin{(\w+)}", text)
    assert sorted(opened) == sorted(re.findall(r"\\end{(\w+)}", text))
    for columns, body in re.findall(r"\\begin{tabular}{(\w+)}(.*?)\\end{tabular}", text, re.S):
        rows = [line for line in body.split("\n") if line.endswith(r"\\")]
        assert rows
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1
        assert [body.count(rule) for rule in (r"\toprule", r"\bottomrule")] == [1, 1]


def test_one_explainer_has_all_its_files_and_no_comparison(tmp_path):
    store = Store(tmp_path / "results.sqlite")
    store.bind({"explainer 'lime'": "cellxai.explain.lime.lime.Lime()"}, [GINI])
    store.write([ROW])
    write_tables(tmp_path, store)
    assert read(tmp_path / "comparisons.csv") == []
    assert read(tmp_path / "table.csv")[0]["mean"] == "0.25"
    assert not list(tmp_path.glob(".*"))


def test_a_store_without_rows_has_tables_without_lines(tmp_path):
    write_tables(tmp_path, Store(tmp_path / "results.sqlite"))
    assert read(tmp_path / "table.csv") == read(tmp_path / "ranks.csv") == []
    assert parquet.read_table(tmp_path / "table.parquet").num_rows == 0
