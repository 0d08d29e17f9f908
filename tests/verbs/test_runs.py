from pathlib import Path

import pytest

from cellxai.files.folder import read_csv
from cellxai.verbs.evaluate import evaluate
from cellxai.verbs.fit import fit
from cellxai.verbs.runs import runs


@pytest.fixture
def several(settings, tmp_path) -> Path:
    """Two runs that differ in their rate and length; the shorter is judged."""
    from dataclasses import replace

    for name, epochs, rate in (("a", 1, 0.05), ("deep/b", 2, 0.01)):
        given = settings(epochs=epochs)
        optimiser = replace(given["training"].optimiser, learning_rate=rate)
        given["training"] = replace(given["training"], optimiser=optimiser)
        fit(run=tmp_path / "runs" / name, **given)
    evaluate(tmp_path / "runs" / "a", "cpu")
    return tmp_path / "runs"


def test_runs_stand_side_by_side_with_what_differs_and_the_best_first(several):
    table = runs(several)
    assert read_csv(several / "runs.csv") == [dict(row) for row in table.rows]
    assert {row["run"]: row["epochs"] for row in table.rows} == {"a": "1", "deep/b": "2"}
    rates = "training.optimiser.learning_rate"
    assert {row["run"]: row[rates] for row in table.rows} == {"a": "0.05", "deep/b": "0.01"}
    assert {"training.epochs", rates} == {name for name in table.rows[0] if "." in name}
    losses = {
        name: min(float(row["validation_loss"]) for row in read_csv(several / name / "metrics.csv"))
        for name in ("a", "deep/b")
    }
    assert [row["run"] for row in table.rows] == sorted(losses, key=lambda name: losses[name])
    (judged,) = (row for row in table.rows if row["run"] == "a")
    report = read_csv(several / "a" / "evaluation" / "predictions.csv")
    right = [row["label"] == row["predicted"] for row in report if row["part"] == "test"]
    assert float(judged["accuracy"]) == pytest.approx(sum(right) / len(right), abs=1e-4)
    assert float(judged["low"]) <= float(judged["accuracy"]) <= float(judged["high"])
    assert "2 runs, the best by what chose their epoch first" in str(table)


def test_a_run_from_before_planes_had_names_differs_in_none(several):
    config = several / "a" / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("  colour: null\n", "").replace("planes: grey", "colour: grey"))
    assert "planes: grey" in text
    assert not [name for name in runs(several).rows[0] if name.startswith("transforms.")]


def test_a_broken_run_costs_a_line_and_no_other(several):
    (several / "a" / "evaluation" / "report.json").write_text("{")
    table = runs(several)
    assert [row["run"] for row in table.rows] == ["deep/b"]
    assert table.problems[0].startswith(f"not readable: {several / 'a'}: ")


def test_a_run_folder_from_elsewhere_is_read_and_nothing_is_imported(several):
    config = several / "a" / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("small_training.SmallBackbone", "antigravity.Evil"))
    assert config.read_text() != text
    assert len(runs(several).rows) == 2


def test_a_folder_without_a_run_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no run folder in it"):
        runs(tmp_path)
