import sys

import jsonargparse
import pytest

from gmm.commandline import trust
from gmm.commandline.program import Verb, run


class Base:
    """What a config may name subclasses of."""


class Child(Base):
    """One that this process has imported."""


def parse(config: dict) -> Base:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--base", type=Base)
    with trust.only_trusted_imports(config, "config.yaml"):
        return parser.instantiate(parser.parse_object(config)).base


@pytest.fixture(autouse=True)
def path_and_allowed(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(trust, "_allowed", set())
    yield
    for name in ("evil_lab", "evil_lab.inner"):
        sys.modules.pop(name, None)


@pytest.fixture
def evil(tmp_path):
    """A module that shows by a file whether it was imported."""
    (tmp_path / "evil_lab").mkdir()
    code = "from pathlib import Path; Path(__file__).with_name('ran').touch()\n"
    code += f"from {__name__} import Base\nclass X(Base): pass\n"
    (tmp_path / "evil_lab" / "__init__.py").write_text(code)
    return tmp_path


@pytest.mark.parametrize(
    "value", ["evil_lab.X", {"class_path": "evil_lab.X"}, "evil_lab.inner.X", "os.system"]
)
def test_what_a_file_names_is_not_imported_and_the_way_out_is_said(evil, value):
    sys.path.append(str(evil))
    name = value if isinstance(value, str) else value["class_path"]
    top = name.partition(".")[0]
    with pytest.raises(ValueError, match=rf"config\.yaml: names the class {name}.*--allow {top} "):
        parse({"base": value})
    assert not (evil / "evil_lab" / "ran").exists()


def test_what_the_user_allows_is_imported(evil):
    sys.path.append(str(evil))
    trust.allow(["evil_lab"])
    assert type(parse({"base": "evil_lab.X"})).__name__ == "X"
    with pytest.raises(ValueError, match=r"allow='../x': expected the name of a package"):
        trust.allow(["../x"])


def test_a_class_that_is_imported_already_needs_no_permission():
    assert isinstance(parse({"base": f"{__name__}.Child"}), Child)


def test_the_rule_ends_with_the_block_even_by_an_error():
    before = dict(trust.parsing_settings)
    with pytest.raises(ZeroDivisionError), trust.only_trusted_imports({}, "x"):
        raise ZeroDivisionError
    assert trust.parsing_settings == before


def test_a_class_is_found_beside_the_config_and_nothing_else_is_searched(evil, monkeypatch):
    (evil / "elsewhere").mkdir()
    monkeypatch.chdir(evil / "elsewhere")
    (evil / "mine.yaml").write_text("a: [evil_lab.X]\n")
    (evil / "other.yaml").write_text("a: evil_lab\n")
    trust.trust_own_words(["--config", str(evil / "other.yaml")], [])
    assert str(evil) not in sys.path
    trust.trust_own_words(["--config=../mine.yaml"], [])
    assert sys.path[-1] == str(evil)
    assert str(evil / "elsewhere") not in sys.path


def test_the_working_directory_is_searched_for_what_is_named_on_the_command_line_alone(
    evil, monkeypatch
):
    monkeypatch.chdir(evil)
    verbs = {"stay": Verb("time:time", "a function without arguments")}
    for words in (["stay"], ["stay", "--run", "evil_lab"]):
        run("program", "about", verbs, words)
        assert str(evil) not in sys.path
    for words in (["--data", "evil_lab.X"], []):
        trust.trust_own_words(words, [] if words else ["evil_lab"])
        assert sys.path.pop() == str(evil)


def test_allowed_names_are_taken_from_the_words():
    words = ["--run", "r", "--allow", "my_lab,other", "--x", "1", "--allow=third"]
    assert trust.take_allowed(words) == (["--run", "r", "--x", "1"], ["my_lab", "other", "third"])
