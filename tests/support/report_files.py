"""Tables of a run that somebody edits, and one section of its page."""

import csv
from pathlib import Path

from cellxai.verbs.report import report


def section_of(run: Path, key: str) -> str:
    """The HTML of one section."""
    html = report(run).path.read_text(encoding="utf-8")
    return html.split(f'<section id="{key}"')[1].split("<section ")[0]


def change_table(path: Path, **values: str) -> None:
    """Gives every row of a table these cells."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row | values for row in csv.DictReader(file)]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
