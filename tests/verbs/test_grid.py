import pytest
import yaml

from cellxai.files.config import read_config, write_config
from cellxai.files.folder import read_csv
from cellxai.verbs import grid as grids
from cellxai.verbs.grid import combine, grid
from gmm.commandline import Verb, run

RATE, HIDDEN = "training.optimiser.learning_rate", "model.head.hidden"


@pytest.fixture
def base(settings, tmp_path):
    """A config of `fit`, as a user writes one."""
    path = tmp_path / "base.yaml"
    write_config(path, settings(epochs=1))
    return path


def test_every_combination_has_a_name_that_tells_what_it_varies():
    combinations = combine({RATE: [0.1, 0.01], HIDDEN: [8, None], "seed": [7]})
    assert list(combinations) == [
        "learning_rate-0.1_hidden-8", "learning_rate-0.1_hidden-None",
        "learning_rate-0.01_hidden-8", "learning_rate-0.01_hidden-None",
    ]  # fmt: skip
    assert combinations["learning_rate-0.01_hidden-8"] == {RATE: 0.01, HIDDEN: 8, "seed": 7}


@pytest.mark.parametrize(
    "values",
    [
        [{"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2}, "balanced"],
        ["a/../b", "a_.._b"],
        ["x" * 300, "x" * 301],
        ["", "."],
    ],
)
def test_names_are_safe_and_no_two_are_the_same(values):
    names = list(combine({"training.class_weights": values}))
    assert len(names) == len(values)
    assert all("/" not in name and not name.startswith(".") and len(name) < 150 for name in names)


@pytest.mark.parametrize(
    ("vary", "message"),
    [({}, "at least one option with its values"), ({RATE: []}, "learning_rate has no value")],
)
def test_nothing_to_vary_is_said(vary, message):
    with pytest.raises(ValueError, match=message):
        combine(vary)


def test_a_run_for_each_combination_a_failure_in_one_line_and_a_second_call_does_nothing(
    base, tmp_path, monkeypatch
):
    vary = {RATE: [0.05, 0.001], "training.batch_size": [4, 0], "seed": [3]}
    result = grid(base, vary, tmp_path / "grid", "cpu")
    good = {"learning_rate-0.05_batch_size-4", "learning_rate-0.001_batch_size-4"}
    assert {row["run"] for row in result.table.rows} == good
    assert {row[RATE] for row in result.table.rows} == {"0.05", "0.001"}
    assert all(row["accuracy"] and row["state"] == "finished" for row in result.table.rows)
    assert list(result.failures) == [
        "learning_rate-0.05_batch_size-0", "learning_rate-0.001_batch_size-0",
    ]  # fmt: skip
    (line,) = {*result.failures.values()}
    assert "training.batch_size=0: expected at least 1" in line
    assert result.exit_code == 3
    assert read_config(tmp_path / "grid" / min(good) / "config.yaml")["seed"] == 3
    failures = {row["run"]: row["failure"] for row in read_csv(tmp_path / "grid" / "grid.csv")}
    assert {name for name, failure in failures.items() if not failure} == good
    monkeypatch.setattr("cellxai.verbs.fit.train", None)
    monkeypatch.setattr("cellxai.verbs.evaluate.verb.load_run", None)
    assert grid(base, vary, tmp_path / "grid", "cpu").table.rows == result.table.rows


def test_a_config_of_the_command_line_names_options_with_their_dots(base, tmp_path, capsys):
    config = tmp_path / "grid.yaml"
    config.write_text(
        yaml.safe_dump({"base": str(base), "out": str(tmp_path / "out"), "vary": {HIDDEN: [4]}})
    )
    verbs = {"grid": Verb("cellxai.verbs.grid:grid", "")}
    assert run("cellxai", "", verbs, ["grid", "--config", str(config), "--device", "cpu"]) == 0
    assert "hidden-4" in capsys.readouterr().out
    assert read_config(tmp_path / "out" / "hidden-4" / "config.yaml")["model"]["head"] == {
        "hidden": 4, "dropout": 0.3,
    }  # fmt: skip


def test_a_base_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a config of `cellxai fit`"):
        grids.grid(tmp_path / "none.yaml", {HIDDEN: [4]}, tmp_path / "out")
