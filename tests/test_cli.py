"""The command line ``cellxai``: every word is a function, and one of several processes prints."""

import inspect
import io
import sys
from importlib import import_module

import pytest

from cellxai import cli


@pytest.mark.parametrize("word", cli.VERBS)
def test_every_word_is_the_function_of_that_name(word):
    module, name = cli.VERBS[word].target.split(":")
    function = getattr(import_module(module), name)
    assert function.__name__ == name == word
    assert inspect.getdoc(function)


@pytest.mark.parametrize(("rank", "prints"), [("0", True), ("1", False)])
def test_of_processes_that_work_together_the_first_one_prints(monkeypatch, rank, prints):
    output = io.StringIO()
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(sys, "argv", ["cellxai", "--help"])
    monkeypatch.setattr(sys, "stdout", output)
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    assert leaving.value.code == 0
    assert ("quickstart" in output.getvalue()) == prints
