import pytest

from gmm.commandline.options import (
    Option,
    OptionTable,
    read_tables,
    unknown_option,
    write_tables,
)
from gmm.commandline.parser import parser_of
from gmm.commandline.tables import table_of

TABLE = OptionTable(
    "Does it.",
    (
        Option("out", "Where to", required=True),
        Option("kind", "Which", "grey", choices=("grey", "rgb")),
        Option("pen.width", "In pixels", "1.0"),
        Option("shape", "What", is_open=True),
    ),
    {"pen": "What with"},
)


@pytest.mark.parametrize(
    ("words", "unknown"),
    [
        (["--out", "x", "--kind=rgb"], None),
        (["--pen.width", "3", "--pen", "{}"], None),
        (["--shape.size", "3", "--shape", "Circle", "--shape.help", "Circle"], None),
        (["--shape+", "x", "--print_config"], None),
        (["--outs", "x"], "outs"),
        (["--pen.widht=3"], "pen.widht"),
        (["--kind.x", "3"], "kind.x"),
        (["--out", "x", "--", "--outs"], None),
        (["x", "-3"], None),
    ],
)
def test_an_option_is_known_where_the_parser_may_take_it(words, unknown):
    assert unknown_option(TABLE, words) == unknown


def test_tables_are_read_as_they_were_written(tmp_path):
    write_tables({"verb": TABLE, "other": OptionTable("Says.", ())}, tmp_path / "help.json")
    assert read_tables(tmp_path / "help.json")["verb"] == TABLE


def test_mappings_take_names_of_their_own():
    def verb(weights: dict[str, float] | None = None, n: int = 1) -> None:
        """Does."""

    table = table_of(parser_of("program verb", verb), frozenset())
    assert unknown_option(table, ["--weights.cell", "2"]) is None
    assert unknown_option(table, ["--n.cell", "2"]) == "n.cell"
