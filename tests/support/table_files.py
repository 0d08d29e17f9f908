"""Tables of a benchmark on disk, taken apart."""

import csv
import re
from pathlib import Path


def read(path: Path) -> list[dict[str, str]]:
    """The lines of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def line_of(lines: list[dict[str, str]], **wanted: str) -> dict[str, str]:
    """The one line with these cells."""
    (line,) = [candidate for candidate in lines if wanted.items() <= candidate.items()]
    return line


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
