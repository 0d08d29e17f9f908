from dataclasses import dataclass
from pathlib import Path

import pytest

from gmm.commandline.help import Entry, fold, group_asked, lines_of
from gmm.commandline.options import Option
from gmm.commandline.parser import arguments_of, parser_of
from gmm.commandline.tables import default_text, first_sentence


@dataclass(frozen=True)
class Optimiser:
    """How to descend.

    Args:
        rate: Step size. A second sentence that no help shows.
        momentum: Share of the last step.
    """

    rate: float = 0.1
    momentum: float = 0.0


def crowded(out: Path, optimiser: Optimiser = Optimiser(), kind: str = "soft") -> None:
    """Does more.

    Args:
        out: Where to.
        optimiser: How to descend.
        kind: Which.
    """


def test_groups_of_many_options_are_folded_and_told_when_asked_for(monkeypatch, capsys):
    monkeypatch.setattr("gmm.commandline.help.SCREEN", 5)
    lines = parser_of("program verb", crowded).format_help().splitlines()
    (group,) = [line for line in lines if "--optimiser" in line]
    assert group.split() == ["--optimiser.…", "How", "to", "descend", "[2", "options]"]
    assert lines[-1] == "program verb --help optimiser lists the options of that group"
    with pytest.raises(SystemExit):
        arguments_of("program verb", crowded, ["--help", "optimiser"])
    printed = capsys.readouterr().out
    assert "--optimiser.rate [0.1]\n    Step size" in printed
    assert "--out" not in printed


def test_a_group_that_is_not_there_is_a_mistake_that_names_the_nearest():
    with pytest.raises(ValueError, match=r"--help optimizer: no such group.*optimiser"):
        arguments_of("program verb", crowded, ["--help", "optimizer"])


@pytest.mark.parametrize(
    ("words", "group"),
    [
        (["--out", "x"], None),
        (["--help"], ""),
        (["-h", "--out", "x"], ""),
        (["--out", "x", "--help", "optimiser"], "optimiser"),
        (["--help", "optimiser."], "optimiser"),
    ],
)
def test_the_group_asked_for_is_the_word_after_help(words, group):
    assert group_asked(words) == group


def test_only_groups_of_several_options_are_folded_and_the_order_stays():
    options = [Option("a.x", "X"), Option("b.y", "Y"), Option("c", "C", "1"), Option("a.z", "Z")]
    folded = fold(options, {"a": "All of it"})
    assert folded == [
        Entry("--a.…", "All of it [2 options]"), Entry("--b.y", "Y"), Entry("--c", "C [1]"),
    ]  # fmt: skip


def test_meanings_are_wrapped_under_their_column_and_no_word_is_lost():
    entries = [Entry("--rate", "word " * 30 + "[0.1]"), Entry("--" + "long" * 10, "Share [0.9]")]
    lines = lines_of(entries, 50)
    assert max(map(len, lines)) <= 50
    assert " ".join(" ".join(lines).split()) == " ".join(f"{e.name} {e.text}" for e in entries)
    column = lines[0].index("word")
    assert {len(line) - len(line.lstrip()) for line in lines[1:-2]} == {column}
    assert lines[-1].index("Share") == column


def test_a_sentence_ends_at_its_stop_and_not_inside_a_number():
    assert first_sentence("At most 0.5 of it; more is lost. Second.") == "At most 0.5 of it"
    assert first_sentence("Whole") == "Whole"


def test_an_object_is_shown_by_its_class():
    assert default_text({"class_path": "a.b.Circle", "init_args": {"radius": 1}}) == "Circle"
    assert default_text([1, 2]) == "[1, 2]"
