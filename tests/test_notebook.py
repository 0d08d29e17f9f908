"""The notebooks of ``docs/`` run, and show what they have shown."""

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "docs").glob("*.ipynb"))
of_each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def printed(book) -> list[list[str]]:
    """The words that every cell prints, without the seconds that an image took.

    A kernel cuts what a cell prints into several outputs, where the clock has it.
    """
    texts = [
        "".join(out["text"] for out in cell.get("outputs", []) if out.get("name") == "stdout")
        for cell in book.cells
    ]
    return [re.sub(r"(\bok +\d+ +)[\d.]+", r"\1", text).split() for text in texts]


def pictures(output) -> int:
    """How many pictures an output of a cell shows."""
    data = output.get("data", {})
    return ("image/png" in data) + data.get("text/html", "").count("data:image/png;base64")


@of_each_notebook
def test_it_is_small_executed_and_names_no_machine(notebook):
    assert notebook.stat().st_size <= 600_000
    book = nbformat.read(notebook, 4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert sum(pictures(output) for output in outputs) >= 3
    assert "site-packages" not in notebook.read_text(encoding="utf-8")


@pytest.mark.slow
@of_each_notebook
def test_it_runs_and_prints_what_it_has_printed(notebook):
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    saved, book = nbformat.read(notebook, 4), nbformat.read(notebook, 4)
    client.NotebookClient(book, timeout=600, kernel_name="python3").execute()
    assert printed(book) == printed(saved)
