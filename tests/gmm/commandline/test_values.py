import pytest

from gmm.commandline.parser import arguments_of
from gmm.commandline.values import explain_value, split_types


class Shape:
    """Something that a config may name."""

    def __init__(self, side: float | None = None) -> None:
        self.side = side


def draw(
    colour: bool | None = None,
    names: dict[str, Shape] | None = None,
    kind: str | int = 1,
    shape: Shape | None = None,
) -> None:
    """Draws.

    Args:
        colour: Whether in colour.
        names: Shapes.
        kind: Which.
        shape: A shape.
    """


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--colour", "blue"], "colour=blue: expected true or false or null"),
        (["--names", "x"], "names=x: expected dict[str, Shape] or null"),
    ],
)
def test_a_value_that_is_none_of_several_types_is_one_short_line(words, line):
    with pytest.raises(ValueError, match="expected") as caught:
        arguments_of("program draw", draw, words)
    assert str(caught.value).split(" or ")[0] == line.split(" or ")[0]
    assert len(str(caught.value)) < 150


def test_the_argument_of_a_class_is_named_with_the_class(tmp_path):
    text = f"shape: {{class_path: {__name__}.Shape, init_args: {{side: [1]}}}}"
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"side") as caught:
        arguments_of("program draw", draw, ["--config", str(tmp_path / "c.yaml")])
    assert "Union" not in str(caught.value)


def test_another_message_is_left_alone_and_types_are_split_outside_brackets():
    assert explain_value('Parser key "a": Expected a <class int>') is None
    assert split_types("dict[str, int], <class 'x'>, Literal['a', 'b']") == [
        "dict[str, int]", "<class 'x'>", "Literal['a', 'b']",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "Parser key \"n\": Expected a <class 'int'>. Got value: 2.5",
            "n=2.5: expected a whole number",
        ),
        (
            'Parser key "percent": Does not validate against any of the Union subtypes\n'
            "Subtypes: [<class 'NoneType'>, <class 'float'>]\nErrors:\n"
            "  - Expected a <class 'NoneType'>\n  - Expected a <class 'float'>\n"
            "Given value type: <class 'str'>\nGiven value: 4%",
            "percent=4%: expected a number or null",
        ),
        (
            "Parser key \"kind\": Expected a typing.Literal['full', 'diag']. Got value: fulll",
            "kind=fulll: expected one of full, diag",
        ),
        (
            "Parser key \"kinds\": Expected a <class 'tuple'>. Got value: full",
            "kinds=full: expected a list such as [a,b]",
        ),
        ("Parser key \"model\": Expected a <class 'Model'>. Got value: x", None),
        ("the following arguments are required: x", None),
    ],
)
def test_a_value_of_another_type_is_told_in_plain_words(message, line):
    assert explain_value(message) == line
