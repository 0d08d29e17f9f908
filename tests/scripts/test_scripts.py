"""The launchers in ``scripts/`` do what their header says, here on tiny images."""

import re
import runpy
import shutil
from pathlib import Path

import pytest

from cellxai.files.folder import read_csv, read_json

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
LAUNCHERS = ("train", "compare_explainers", "score_density")


@pytest.fixture
def start(monkeypatch, capsys):
    """Runs a script with its words and returns what it prints."""

    def run(name: str, *words: str) -> str:
        monkeypatch.setattr("sys.argv", [f"{name}.py", *words])
        runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.fixture
def run(tiny_run, tmp_path) -> Path:
    """A copy of the trained run to write into."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.mark.parametrize("name", [*LAUNCHERS, "leaky_split", "shortcut_test"])
def test_a_script_opens_with_its_command_its_cost_and_its_expected_result(name):
    header = (SCRIPTS / f"{name}.py").read_text(encoding="utf-8").split('"""')[1]
    assert f"\npython scripts/{name}.py " in header
    assert re.search(r"\ncost: \S.*; expect: \S", header)
    assert not set(re.findall(r"\w+", header)) & {"COST", "EXPECT", "TODO"}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_launcher_is_short_enough_to_be_copied(name):
    assert len((SCRIPTS / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 40


def test_train_makes_a_judged_run(start, tiny_run, tmp_path):
    cells, made = str(tiny_run.parent / "cells"), tmp_path / "made"
    words = ("--backbone", "test_efficientnet", "--epochs", "1")
    told = start("train", "--data", cells, "--run", str(made), *words)
    accuracy = read_json(made / "evaluation" / "report.json")["parts"]["test"]["accuracy"]
    assert f"test {accuracy:.3f}" in told


def test_compare_explainers_prints_the_table_it_writes(start, run):
    told = start("compare_explainers", "--run", str(run), "--images-per-class", "1")
    assert (run / "benchmark" / "table.md").read_text() in told
    assert len(read_csv(run / "benchmark" / "table.csv")) == 10


@pytest.mark.slow
def test_score_density_prints_the_least_typical_images(start, run, tiny_run):
    cells = str(tiny_run.parent / "cells")
    told = start("score_density", "--run", str(run), "--unfamiliar", cells)
    rows = [row for row in read_csv(run / "density" / "scores.csv") if row["set"] != "train"]
    least = min(rows, key=lambda row: float(row["log_p"]))
    assert f"{least['id']} ({least['set']}): p = {least['p']}, {least['view']}" in told


@pytest.mark.parametrize("words", [(), ("--shuffled-labels",)])
def test_a_split_by_rows_tests_on_images_that_were_trained_on(start, tiny_run, words):
    of_fit = (
        "--data", "Sartorius", "--data.root", str(tiny_run.parent / "cells"),
        "--transforms.image_size", "[64, 64]", "--model.backbone.name", "test_efficientnet",
    )  # fmt: skip
    told = start("leaky_split", "--steps", "2", *words, *of_fit)
    _, *lines = [line.split() for line in told.splitlines()]
    seen = {way: float(share) for way, _, _, share, _ in lines}
    assert seen["row"] > 0.9
    assert seen["image"] == 0
    assert all(0 <= float(share) <= 1 for _, _, *shares in lines for share in shares)


@pytest.mark.slow
def test_every_network_of_the_shortcut_test_is_judged_with_and_without_its_cue(start, tmp_path):
    of_fit = (
        "--model.backbone.name", "test_efficientnet", "--training.epochs", "1",
        "--transforms.image_size", "[64, 64]",
    )  # fmt: skip
    words = ("--out", str(tmp_path), "--images", "60", "--judged", "6", *of_fit)
    told = start("shortcut_test", *words)
    rows = read_csv(tmp_path / "corner-tag" / "verdict.csv")
    assert [row["network"] for row in rows] == ["shortcut", "honest", "shuffled"]
    for row, line in zip(rows, told.splitlines()[2:], strict=True):
        shares = [float(value) for name, value in row.items() if name != "network"]
        assert all(0 <= share <= 1 for share in shares)
        printed = [row["network"], *(f"{share:.2f}" for share in shares)]
        assert line == f"| {' | '.join(printed)} |"
    before = (tmp_path / "corner-tag" / "honest" / "metrics.csv").stat().st_mtime_ns
    assert start("shortcut_test", *words) == told
    assert (tmp_path / "corner-tag" / "honest" / "metrics.csv").stat().st_mtime_ns == before
