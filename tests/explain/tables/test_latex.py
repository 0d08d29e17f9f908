import math

import pytest
from table_files import assert_is_latex

from cellxai.explain.tables.latex import escape, format_score


def test_latex_is_whole(folder):
    text = (folder / "table.tex").read_text(encoding="utf-8")
    assert_is_latex(text)
    assert text.count(r"\begin{tabular}") == 2
    assert text.count(r"\textbf{") == 3
    assert r"\emph{random} &" in text
    assert r"grad\_cam &" in text


@pytest.mark.parametrize("letter", "\\~^&%$#_{}<>|[]")
def test_every_letter_that_latex_takes_as_a_command_is_escaped(letter):
    escaped = escape(f"a{letter}b")
    assert escaped != f"a{letter}b"
    assert (escaped[0], escaped[-1]) == ("a", "b")
    assert escape("two\nlines  here") == "two lines here"


def test_a_score_has_a_true_minus_and_no_score_is_a_dash():
    assert [format_score(value) for value in (-0.5, 0.5, math.nan)] == ["$-$0.500", "0.500", "--"]
