"""Files of a run, sound and broken."""

import json
from base64 import b64decode

import pytest
from PIL import Image

from cellxai.report.pieces import Card, Section
from cellxai.report.saved_files import (
    attempt,
    describe_error,
    dig,
    embed,
    embed_if_drawn,
    fill,
    read_json,
    read_rows,
    read_yaml,
)


@pytest.fixture
def picture(tmp_path):
    """A picture of 30×20 pixels in a run folder."""
    (tmp_path / "run").mkdir()
    Image.new("L", (30, 20)).save(tmp_path / "run" / "a.png")
    return tmp_path / "run" / "a.png"


def test_a_picture_is_embedded_whole_with_its_size(picture):
    embedded = embed(picture.parent, picture, "A")
    assert (embedded.width, embedded.height, embedded.problem) == (30, 20, "")
    assert b64decode(embedded.uri.partition(",")[2]) == picture.read_bytes()


def test_what_lies_outside_or_is_no_picture_is_a_problem_and_no_content(picture, tmp_path):
    run = picture.parent
    picture.rename(tmp_path / "secret.png")
    (run / "link.png").symlink_to(tmp_path / "secret.png")
    (run / "text.png").write_text("text")
    names = {
        "../secret.png": "lies outside", "link.png": "lies outside", "text.png": "not a PNG",
        "gone.png": "FileNotFoundError",
    }  # fmt: skip
    for name, problem in names.items():
        embedded = embed(run, run / name, "A")
        assert embedded.uri == ""
        assert problem in embedded.problem
    assert embed_if_drawn(run, run / "gone.png", "A") is None


def test_a_file_that_is_not_there_is_no_problem_and_a_broken_one_is_one_line(tmp_path):
    path = tmp_path / "summary.json"
    assert attempt(path, lambda: read_json(path)) == (None, "")
    path.write_text("[1,\n")
    content, problem = attempt(path, lambda: read_json(path))
    assert content is None
    assert problem.startswith(f"{tmp_path.name}/summary.json cannot be shown (JSONDecodeError: ")
    assert "\n" not in problem
    path.write_text("[1]")
    assert attempt(path, lambda: read_json(path)) == ([1], "")


def test_a_defect_of_the_code_is_not_taken_for_a_broken_file(tmp_path):
    def break_down() -> None:
        raise AssertionError("no fault of the file")

    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(AssertionError, match="no fault of the file"):
        attempt(tmp_path / "a.json", break_down)


def test_a_section_has_cards_only_where_it_has_content(tmp_path):
    empty = Section("data", "Data", "About it.", "cellxai fit")
    path = tmp_path / "a.json"

    def cards(content: list[int]) -> tuple[Card, ...]:
        return (Card("n", str(len(content)), ""),)

    assert fill(empty, path, lambda: read_json(path), cards) == empty
    path.write_text(json.dumps([1, 2]))
    assert [card.value for card in fill(empty, path, lambda: read_json(path), cards).cards] == ["2"]
    path.write_text("{")
    broken = fill(empty, path, lambda: read_json(path), cards)
    assert (broken.content, broken.cards, bool(broken.problem)) == (None, (), True)


def test_nested_values_are_none_where_a_key_is_absent():
    saved = {"a": {"b": [1]}, "c": None}
    assert dig(saved, "a", "b") == [1]
    assert dig(saved, "a", "x", "y") is dig(saved, "c", "d") is dig([], "a") is None


def test_yaml_that_would_build_an_object_is_refused(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: !!python/object/apply:os.system ['true']")
    with pytest.raises(ValueError, match="not valid YAML"):
        read_yaml(path)


def test_a_table_without_a_row_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n")
    with pytest.raises(ValueError, match=r"t\.csv has 0 rows"):
        read_rows(tmp_path / "t.csv")
    assert describe_error(KeyError("a\nb")) == r"KeyError: 'a\nb'"
