import io
import sys

import pytest

from gmm.commandline.waiting import waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_clean_again_also_after_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    while_it_lasted = []

    def work() -> None:
        with waiting("loading …"):
            while_it_lasted.append(sys.stderr.getvalue())
            raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        work()
    assert while_it_lasted == ["loading …"]
    assert sys.stderr.getvalue() == "loading …\r         \r"


def test_a_pipe_gets_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with waiting("loading …"):
        pass
    assert sys.stderr.getvalue() == ""
