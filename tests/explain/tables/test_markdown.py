import math
import re

import pytest

from cellxai.explain.tables.markdown import escape, format_score


def test_markdown_marks_the_best_method_and_the_controls(folder):
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert text.index("### faithfulness") < text.index("### localisation")
    lime = next(line for line in text.split("\n") if line.startswith("| lime |"))
    assert lime.count("**") == 4
    assert "| *random* (control) |" in text
    assert "| chance | | | 0.033 |" in re.sub(" +", " ", text)
    assert "1 degenerate" in text
    assert "12 unsupported (no ReLU to override)" in text


@pytest.mark.parametrize("letter", "\\`*_{}[]<>|#!~&$")
def test_every_letter_that_means_something_is_escaped(letter):
    assert escape(f"a{letter}b\n") == f"a\\{letter}b"


def test_no_score_is_a_dash():
    assert [format_score(value) for value in (-0.5, math.nan)] == ["-0.500", "–"]
