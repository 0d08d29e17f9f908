import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

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


class Shape(ABC):
    """The parent of what ``shape`` may be."""

    @abstractmethod
    def area(self) -> float:
        """Of the shape."""


class Circle(Shape):
    def __init__(self, radius: float = 1.0) -> None:
        self.radius = radius

    def area(self) -> float:
        return 3.14 * self.radius**2


class Watcher:
    """The parent of what ``watchers`` may hold; not abstract, as Lightning's Callback is not."""


class Bell(Watcher):
    def __init__(self, loudness: float = 1.0) -> None:
        self.loudness = loudness


def verb(
    out: Path,
    kind: Literal["soft", "hard"] = "soft",
    n_steps: int = 3,
    optimiser: Optimiser = Optimiser(),
    shape: Shape | None = None,
    shapes: dict[str, Shape] | None = None,
    watchers: list[Watcher] | None = None,
) -> None:
    """Does it.

    Args:
        out: Where to write.
        kind: Which one.
        n_steps: How many.
        optimiser: How.
        shape: Of what.
        shapes: Of what else.
        watchers: Who looks on.
    """


@pytest.fixture(autouse=True)
def shape_alone(monkeypatch):
    """Nothing is imported from beside ``Shape``: there lie all the other tests."""
    monkeypatch.setattr("gmm.commandline.parser.import_siblings", lambda base: None)


def parsed(*words: str) -> dict:
    return arguments_of("program verb", verb, words)


def mistake(*words: str) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        parsed(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write(folder: Path, text: str, name: str = "some.yaml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_the_signature_is_the_schema_and_objects_are_built():
    found = parsed("--out", "x", "--optimiser.rate", "2", "--shape", f"{__name__}.Circle")
    assert {name: found[name] for name in ("out", "kind", "n_steps")} == {
        "out": Path("x"), "kind": "soft", "n_steps": 3,
    }  # fmt: skip
    assert found["optimiser"] == Optimiser(rate=2.0)
    assert isinstance(found["shape"], Circle)


def test_a_short_class_name_is_enough(tmp_path):
    assert parsed("--out", "x", "--shape", "Circle", "--shape.radius", "2")["shape"].radius == 2.0
    config = write(tmp_path, "shape: {class_path: Circle, init_args: {radius: 3}}")
    assert parsed("--out", "x", "--config", config)["shape"].radius == 3.0
    found = parsed("--out", "x", "--shapes.a", "Circle", "--shapes.a.radius", "4")
    assert found["shapes"]["a"].radius == 4.0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--shape", "Circel"), "shape: no class is named 'Circel'; did you mean Circle?"),
        (("--shapes.a", "Circel"), "shapes: no class is named 'Circel'; did you mean Circle?"),
        (
            ("--shape.radius", "2"),
            "shape: no class is named; first pass --shape with one of: Circle",
        ),
        (
            ("--shapes.a.radius", "2"),
            "shapes.a: no class is named; first pass --shapes.a with one of: Circle",
        ),
    ],
)
def test_a_class_that_is_unknown_or_not_named_gets_the_names_that_exist(words, line):
    assert mistake("--out", "x", *words) == line


def test_the_items_of_a_list_are_classes_by_their_short_names(tmp_path):
    config = write(tmp_path, "watchers: [Bell, {class_path: Bell, init_args: {loudness: 3}}]")
    found = parsed("--out", "x", "--config", config)["watchers"]
    assert [bell.loudness for bell in found] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("{class_path: Bel}", "watchers: no class is named 'Bel'; did you mean Bell?"),
        ("{class_path: HERE.Bel}", "no attribute 'Bel'; did you mean Bell?"),
        (
            "{class_path: HERE.Bell, init_args: {loudnes: 2}}",
            "Option 'loudnes' is not accepted; did you mean loudness?",
        ),
        ("{class_path: Bell}, {class_path: Bell, init_args: {loud: 2}}", "did you mean loudness?"),
        ("{clas_path: Bell}", "Option 'clas_path' is not accepted; did you mean class_path?"),
        ("{class_path: Bell, init_arg: {}}", "stands a key that is not init_args"),
        (
            "{class_path: gmm.commandline.parsr.Bell}",
            "no module is named 'gmm.commandline.parsr'; did you mean gmm.commandline.parser",
        ),
        ("{class_path: nowhere_at_all.Bell}", "odule named 'nowhere_at_all'"),
    ],
)
def test_a_mistake_inside_a_list_gets_the_nearest_name(tmp_path, item, said):
    config = write(tmp_path, f"watchers: [{item.replace('HERE', __name__)}]")
    assert said in mistake("--out", "x", "--config", config)


def test_later_configs_and_dotted_words_override_earlier_ones(tmp_path):
    first = write(tmp_path, "out: a\nn_steps: 1\noptimiser: {rate: 5, momentum: 0.5}", "1.yaml")
    second = write(tmp_path, "n_steps: 2\noptimiser: {rate: 6}", "2.yaml")
    found = parsed("--config", first, "--config", second, "--optimiser.rate", "7")
    assert (found["out"], found["n_steps"]) == (Path("a"), 2)
    assert found["optimiser"] == Optimiser(rate=7.0, momentum=0.5)


def test_what_print_config_prints_is_a_config(tmp_path, capsys):
    with pytest.raises(SystemExit) as leaving:
        parsed("--out", "x", "--n_steps", "8", "--shape", f"{__name__}.Circle", "--print_config")
    assert leaving.value.code in (0, None)
    found = parsed("--config", write(tmp_path, capsys.readouterr().out))
    assert (found["out"], found["n_steps"], found["shape"].radius) == (Path("x"), 8, 1.0)


@pytest.mark.parametrize("word", ["--n_step", "--n", "--optimiser.r"])
def test_an_abbreviation_is_no_option(word):
    assert f"unrecognized arguments: {word} 1" in mistake("--out", "x", word, "1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "x", "--n_stesp", "1"), ("n_stesp", "did you mean n_steps?")),
        (("--out", "x", "--optimizer.rate", "1"), ("did you mean optimiser.rate?",)),
        (("--out", "x", "--n_steps", "many"), ("n_steps", "a whole number", "many")),
        (("--out", "x", "--kind", "medium"), ("kind", "soft", "hard", "medium")),
        ((), ("required", "out")),
        (("--config", "nowhere.yaml"), ("nowhere.yaml",)),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_that_names_it(words, said):
    line = mistake(*words)
    assert all(part in line for part in said), line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("n_stesp: 1", "did you mean n_steps?"),
        ("optimiser: {rat: 1}", "did you mean optimiser.rate?"),
        (f"shape: {{class_path: {__name__}.Circel}}", "did you mean Circle?"),
        (f"shape: {{class_path: {__name__}.Circle, init_args: {{radios: 1}}}}", "mean radius?"),
        ("shape: {class_path: collections.OrderedDict}", "subclass of Shape"),
        ("shape: {class_path: nowhere.Circle}", "nowhere"),
        ("- a list", "a list"),
        ("kind: [", "parsing"),
    ],
)
def test_a_mistake_in_a_config_is_one_line_that_names_it(tmp_path, text, said):
    assert said in mistake("--out", "x", "--config", write(tmp_path, text))


@pytest.mark.parametrize("columns", [60, 100])
def test_the_help_has_one_line_per_option_that_fits_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = parser_of("program verb", verb).format_help().splitlines()
    assert all(len(line) <= columns for line in lines)
    assert lines[0] == "program verb: Does it."
    (rate,) = [line for line in lines if "--optimiser.rate" in line]
    assert rate.split() == ["--optimiser.rate", "Step", "size", "[0.1]"]
    (out,) = [line for line in lines if "--out" in line]
    assert out.endswith("(required)")


def test_a_long_summary_is_wrapped_and_a_default_object_is_shown_by_its_class(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")

    def long(shape: Shape = Circle()) -> None:  # noqa: B008 - never changed
        """Says what it does in so many words that they do not fit into a line of sixty columns."""

    text = parser_of("program long", long).format_help()
    assert max(map(len, text.splitlines())) <= 60
    assert "columns." in text
    assert "[Circle]" in text


class Base:
    """What an option takes."""


class Child(Base):
    """One of the two."""


def test_the_help_of_a_group_names_what_its_options_may_be(capsys):
    def pick(kind: Literal["grey", "rgb"] = "grey", base: Base = Child()) -> None:  # noqa: B008
        """Does nothing."""

    for group, line in (("kind", "one of: grey, rgb"), ("base", "Base, Child, or your own")):
        with pytest.raises(SystemExit):
            arguments_of("program verb", pick, ["--help", group])
        assert line in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pen: true", "pen=True: expected its options"),
        ("pen: null", "pen=null: expected its options"),
        ("pen: {width: null}", "pen.width=null: expected a number"),
        ("pen: {width: .inf}", r"cannot be used \(OverflowError: cannot convert float infinity"),
    ],
)
def test_a_value_that_settings_do_not_bear_is_one_line(tmp_path, text, said):
    (tmp_path / "some.yaml").write_text(text)
    with pytest.raises(ValueError, match=said) as caught:
        arguments_of("program write", write_with, ["--config", str(tmp_path / "some.yaml")])
    assert "\n" not in str(caught.value)


@dataclasses.dataclass
class Pen:
    """What is written with.

    Args:
        width: In pixels.
    """

    width: float = 1.0

    def __post_init__(self) -> None:
        int(self.width)


PEN = Pen()


def write_with(pen: Pen = PEN) -> None:
    """Writes.

    Args:
        pen: What with.
    """
