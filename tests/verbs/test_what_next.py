"""Each verb ends with what may be asked next, as it is typed."""

import shlex
import sys
from pathlib import Path

import pytest

from cellxai import cli
from cellxai.files.folder import RunFolder
from cellxai.verbs.what_next import FOLLOWERS, QUESTIONS, after_run, options_of, what_next
from gmm import cli as mixture_cli
from gmm.commandline.options import read_tables, unknown_option
from gmm.verbs.what_next import what_next as next_of_mixture


@pytest.fixture
def run(tmp_path) -> RunFolder:
    folder = RunFolder(tmp_path / "my run")
    folder.root.mkdir()
    folder.config.write_text("data: {}\n")
    return folder


def takes(program, line: str) -> bool:
    """Whether the program has the verb and the options of a line; its remark is for the reader."""
    name, verb, *words = shlex.split(line.partition("   #")[0])
    assert name == program.PROGRAM
    options = [word for word in words if "." not in word.partition("=")[0]]  # of a group: any
    return unknown_option(read_tables(program.TABLES)[verb], options) is None


def test_a_run_is_asked_one_question_after_the_other_and_then_for_its_page(run):
    asked = []
    for _, place, _ in QUESTIONS:
        line = after_run(run)
        assert takes(cli, line)
        asked.append(shlex.split(line)[1])
        place(run).mkdir()
    assert asked == ["evaluate", "density", "explain", "benchmark"]
    assert shlex.split(after_run(run))[1:4] == ["report", "--run", str(run.root)]


def test_a_verb_on_a_run_is_followed_by_the_first_open_question(run):
    assert what_next("fit", [], {"run": run.root}) == after_run(run)
    run.evaluation.mkdir()
    assert "cellxai density" in what_next("evaluate", [], {"run": run.root})
    assert what_next("fit", [], {"run": run.root / "none"}) == ""


def test_a_data_set_keeps_its_words():
    words = ["--data", "ImageFolder", "--data.root=my images", "--transforms.image_size", "[8,8]"]
    assert options_of("data", words) == words[:3]
    line = what_next("check", words, {})
    assert takes(cli, line)
    assert shlex.split(line)[:5] == ["cellxai", "preview", *words[:3]]
    assert what_next("check", ["--config", "mine.yaml"], {}) == ""


def test_the_page_is_to_be_opened_and_scored_images_are_explained(run):
    assert str(run.report) in what_next("report", [], {"run": run.root})
    assert "mine.html" in what_next("report", [], {"run": [run.root], "out": Path("mine.html")})
    line = what_next("score", [], {"run": run.root, "images": ["a.png", "b c.png"]})
    assert takes(cli, line)
    assert shlex.split(line)[-1] != "a.png,b c.png"  # the remark stands behind it
    assert "'a.png,b c.png'" in line


@pytest.mark.parametrize("verb", ["report", "view", "evaluate"])
def test_of_several_runs_or_of_what_is_no_run_nothing_is_suggested(verb, run, tmp_path):
    assert what_next(verb, [], {"run": [run.root, run.root]}) == ""
    assert what_next(verb, [], {"run": tmp_path}) == ""


@pytest.mark.parametrize("verb", sorted(FOLLOWERS))
def test_who_has_a_follower_is_a_verb_and_what_it_says_is_taken(verb, run):
    arguments = {"run": run.root, "out": Path("there"), "images": "*.png"}
    line = what_next(verb, ["--data.root", "x"], arguments)
    assert verb in cli.VERBS
    assert not line.startswith("cellxai") or "--help" in line or takes(cli, line)


def test_a_mixture_is_followed_by_its_scores():
    line = next_of_mixture("fit", [], {"out": Path("m.safetensors"), "x": Path("x.npy")})
    assert takes(mixture_cli, line)
    assert next_of_mixture("score", [], {}) == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_only_a_terminal_shows_it(terminal, tmp_path, monkeypatch, capsys):
    (tmp_path / "x.csv").write_text("a,b\n" + "\n".join(f"{i % 7},{i % 5}" for i in range(40)))
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    words = ["gmm", "fit", "--x", str(tmp_path / "x.csv"), "--out", str(tmp_path / "m.safetensors")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as leaving:
        mixture_cli.main()
    assert leaving.value.code == 0
    assert ("next: gmm score --mixture" in capsys.readouterr().err) == terminal
