import math
import re
from dataclasses import replace

from pyarrow import parquet
from table_files import assert_is_latex, read

from cellxai.explain.results.rows import Measure, ScoreRow
from cellxai.explain.results.score_arrays import Results
from cellxai.explain.results.store import Store
from cellxai.explain.tables.export import write_results, write_tables

HOSTILE = "a|b_c & 50% <b>x</b> $y$ [z] \\end{tabular}\n~^#{}"
ROW = ScoreRow("a", "lime", "gini", 0, 0.25, math.nan, "ok", "", 100, 0, 2.0)
GINI = Measure("gini", "Gini", "complexity", "higher", 0.0, 1.0, "")


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
