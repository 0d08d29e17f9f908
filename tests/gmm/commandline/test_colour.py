"""Warnings in colour."""

import io

import pytest

from gmm.commandline.colour import paint_warnings

TEXT = "found\nwarning: look\nno warning: here"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_only_lines_that_begin_as_warnings_are_painted():
    painted = paint_warnings(TEXT, Terminal())
    assert painted == "found\n\033[33mwarning: look\033[0m\nno warning: here"


def test_files_pipes_and_people_who_want_none_get_plain_text(monkeypatch):
    assert paint_warnings(TEXT, io.StringIO()) == TEXT
    monkeypatch.setenv("TERM", "dumb")
    assert paint_warnings(TEXT, Terminal()) == TEXT
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint_warnings(TEXT, Terminal()) == TEXT
