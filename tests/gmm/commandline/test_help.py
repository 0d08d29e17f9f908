from dataclasses import dataclass
from pathlib import Path

import pytest

from gmm.commandline.help import Row, default_text, first_sentence, fold, group_asked, lines_of
from gmm.commandline.parser import arguments_of, parser_of


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
    rows = [Row("--a.x", "X"), Row("--b.y", "Y"), Row("--c", "C"), Row("--a.z", "Z")]
    folded = fold(rows, {"a": "All of it. And more."})
    assert [(row.option, row.text, row.default) for row in folded] == [
        ("--a.…", "All of it", " [2 options]"), ("--b.y", "Y", ""), ("--c", "C", ""),
    ]  # fmt: skip


def test_lines_are_cut_at_the_width_and_defaults_stay_whole():
    rows = [Row("--rate", "word " * 30, " [0.1]"), Row("--momentum", "Share", " [0.9]")]
    lines = lines_of(rows, 50)
    assert [len(line) for line in lines] == [50, 25]
    assert lines[0].endswith("… [0.1]")
    assert lines[0].index("word") == lines[1].index("Share")


def test_a_sentence_ends_at_its_stop_and_not_inside_a_number():
    assert first_sentence("At most 0.5 of it; more is lost. Second.") == "At most 0.5 of it"
    assert first_sentence("Whole") == "Whole"


def test_an_object_is_shown_by_its_class():
    assert default_text({"class_path": "a.b.Circle", "init_args": {"radius": 1}}) == "Circle"
    assert default_text([1, 2]) == "[1, 2]"
