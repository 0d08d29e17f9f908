import sys

import pytest

from cellxai import cli
from cellxai.training import moved_data
from cellxai.training.moved_data import move_data, take_moved_data, with_moved_data
from cellxai.verbs.fit import fit

CONFIG = {"data": {"class_path": "ImageFolder", "init_args": {"root": "old", "masks": None}}}
WRAPPED = {"data": {"class_path": "ShuffledLabels", "init_args": {"source": CONFIG["data"]}}}


@pytest.fixture(autouse=True)
def _at_home():
    yield
    move_data()


def judge(run: str, device: str = "auto") -> None:
    """Of a verb that has a run."""


def look(run: str, data: str | None = None) -> None:
    """Of a verb that takes another data set, too."""


def train(run: str, data: str) -> None:
    """Of a verb that makes a run of a data set."""


def test_the_data_set_of_a_run_is_looked_for_where_it_lies_now():
    assert with_moved_data(CONFIG, "config.yaml") == CONFIG
    move_data(root="new")
    assert with_moved_data(CONFIG, "config.yaml")["data"]["init_args"]["root"] == "new"
    inner = with_moved_data(WRAPPED, "config.yaml")["data"]["init_args"]["source"]
    assert inner["init_args"] == {"root": "new", "masks": None}
    assert CONFIG["data"]["init_args"]["root"] == "old"


def test_an_argument_that_the_data_set_does_not_have_is_refused():
    move_data(rot="new")
    with pytest.raises(ValueError, match=r"data\.rot=new: the data set of config\.yaml has no"):
        with_moved_data(CONFIG, "config.yaml")


@pytest.mark.parametrize(
    ("verb", "words", "rest", "moved"),
    [
        (judge, ["--run", "r", "--data.root", "new"], ["--run", "r"], {"root": "new"}),
        (judge, ["--data.root=new", "--data.masks=null"], [], {"root": "new", "masks": None}),
        (look, ["--data.init_args.root", "new"], [], {"root": "new"}),
        (look, ["--data", "X", "--data.root", "new"], ["--data", "X", "--data.root", "new"], {}),
        (train, ["--data.root", "new"], ["--data.root", "new"], {}),
    ],
)
def test_only_the_data_set_of_the_run_is_moved(verb, words, rest, moved):
    assert take_moved_data(words, verb) == rest
    assert moved_data._moved == moved


def test_a_run_whose_images_have_moved_is_judged_where_they_are(
    settings, cells, tmp_path, monkeypatch, capsys
):
    run = fit(run=tmp_path / "run", **settings(epochs=1)).run
    run.rename(tmp_path / "renamed")
    cells.rename(tmp_path / "elsewhere")

    def call(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["cellxai", "evaluate", "--run", "renamed", *words])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return caught.value.code

    monkeypatch.chdir(tmp_path)
    assert call("--allow", "small_training") == 2
    assert "has moved, pass --data.root NEW" in capsys.readouterr().err
    assert call("--allow", "small_training", "--data.root", "elsewhere") == 0
    assert "accuracy train" in capsys.readouterr().out
