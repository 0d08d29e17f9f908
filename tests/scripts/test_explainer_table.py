"""The table of docs/explainers.md is what its script writes."""

from pathlib import Path

import explainer_table
import pytest

from cellxai.explain.catalogue import every_explainer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explainers.md"


def written() -> list[list[str]]:
    """Rows of the table, without its line of dashes."""
    marked = PAGE.read_text(encoding="utf-8").split(explainer_table.BEGIN)[1]
    lines = marked.split(explainer_table.END)[0].strip().splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]


def test_the_page_has_every_method_and_every_family():
    heads, *rows = written()
    assert heads == ["method", *explainer_table.FAMILIES]
    assert [row[0] for row in rows] == list(every_explainer())


def test_reasons_are_numbered_once_and_said_below():
    cells = {
        "A": {"x": "ok", "y": "degraded: why"},
        "B": {"x": "unsupported: how: so", "y": "degraded: why"},
    }
    assert explainer_table.table(cells).splitlines() == [
        "| method | A | B |",
        "|---|---|---|",
        "| x | ok | unsupported (1) |",
        "| y | degraded (2) | degraded (2) |",
        "",
        "1. how: so",
        "2. why",
    ]


def test_the_marked_part_is_replaced_and_nothing_else(monkeypatch, tmp_path):
    page = tmp_path / "page.md"
    begin, end = explainer_table.BEGIN, explainer_table.END
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    monkeypatch.setattr(explainer_table, "measure_network", lambda name: {"x": "ok"})
    monkeypatch.setattr("sys.argv", ["explainer_table.py", "--out", str(page), "--families", "ViT"])
    explainer_table.main()
    table = "| method | ViT |\n|---|---|\n| x | ok |\n"
    assert page.read_text() == f"before\n{begin}\n{table}\n{end}\nafter\n"


@pytest.mark.slow
@pytest.mark.parametrize("family", ["EfficientNetV2", "ViT"])
def test_the_statuses_on_the_page_are_measured_again(family):
    heads, *rows = written()
    column = heads.index(family)
    found = explainer_table.measure_network(explainer_table.FAMILIES[family])
    statuses = {row[0]: row[column].split()[0].strip(",") for row in rows}
    assert {name: cell.split()[0].strip(":,") for name, cell in found.items()} == statuses
