import io

import pytest
from rich.console import Console

from cellxai.files import progress_bar as bars
from cellxai.files.progress_bar import progress


@pytest.fixture
def terminal(monkeypatch) -> io.StringIO:
    """What a bar would draw on a terminal."""
    drawn = io.StringIO()
    monkeypatch.setattr(bars, "Console", lambda stderr: Console(file=drawn, force_terminal=True))
    return drawn


def test_every_item_comes_once_in_order_and_a_log_stays_empty(capsys):
    assert list(progress([3, 1, 2], "counting")) == [3, 1, 2]
    assert list(progress(iter([3, 1, 2]), "counting", total=3)) == [3, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_a_bar_with_the_number_of_items(terminal):
    assert list(progress([3, 1, 2], "counting")) == [3, 1, 2]
    assert "counting" in terminal.getvalue()
    assert "100%" in terminal.getvalue()


def test_the_total_stands_in_for_items_that_do_not_know_it(terminal):
    assert list(progress(iter([3, 1, 2]), "counting", total=6)) == [3, 1, 2]
    assert " 50%" in terminal.getvalue()


def test_few_items_are_not_worth_a_bar(terminal):
    assert list(progress([3, 1, 2], "counting", at_least=4)) == [3, 1, 2]
    assert list(progress(iter([3, 1, 2]), "counting", total=3, at_least=4)) == [3, 1, 2]
    assert terminal.getvalue() == ""
    list(progress([3, 1, 2], "counting", at_least=3))
    assert terminal.getvalue()
