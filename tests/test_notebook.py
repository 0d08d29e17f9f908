"""The notebook of ``docs/`` runs, and shows what it has shown."""

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "explain_my_model.ipynb"


def printed(book) -> list[list[str]]:
    """The words that every cell prints, without the seconds that an image took.

    A kernel cuts what a cell prints into several outputs, where the clock has it.
    """
    texts = [
        "".join(out["text"] for out in cell.get("outputs", []) if out.get("name") == "stdout")
        for cell in book.cells
    ]
    return [re.sub(r"(\bok +\d+ +)[\d.]+", r"\1", text).split() for text in texts]


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
