"""The notebook of ``docs/`` runs, and shows what it has shown."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "explain_my_model.ipynb"


def printed(book) -> list[str]:
    """What every cell prints, without the lines of tables, which hold seconds."""
    return [
        output["text"]
        for cell in book.cells
        for output in cell.get("outputs", [])
        if output.get("name") == "stdout" and "seconds" not in output["text"]
    ]


def test_it_is_small_executed_and_names_no_machine():
    assert NOTEBOOK.stat().st_size <= 600_000
    book = nbformat.read(NOTEBOOK, 4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    pages = [output.get("data", {}).get("text/html", "") for output in outputs]
    assert sum(page.count("data:image/png;base64") for page in pages) >= 3
    assert "site-packages" not in NOTEBOOK.read_text(encoding="utf-8")


@pytest.mark.slow
def test_it_runs_and_prints_what_it_has_printed():
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    saved, book = nbformat.read(NOTEBOOK, 4), nbformat.read(NOTEBOOK, 4)
    client.NotebookClient(book, timeout=600, kernel_name="python3").execute()
    assert printed(book) == printed(saved)
