"""Who is a control in the tables: what says so itself, a user's own as well."""

import importlib
import sqlite3
from pathlib import Path

import pytest

from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.results.score_arrays import read_results
from cellxai.explain.results.store import Store
from cellxai.explain.superpixels.methods import Grid
from cellxai.files.digest import stop_vouching
from cellxai.files.folder import read_csv
from cellxai.verbs.benchmark import benchmark
from cellxai.verbs.merge import merge

pytestmark = pytest.mark.usefixtures("drawn")
REGIONS = Grid(size_px=16)
EXPLAINERS = {"edges": Edges(), "random": RandomAttribution()}


def controls(run: Path) -> frozenset[str]:
    return read_results(Store(run / "benchmark" / "results.sqlite")).controls


MY_CONTROLS = """
from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.controls import CentreGaussian

class Upper(Explainer):
    is_control = True
    def attribute(self, model, images, targets, context):
        rows = images.new_ones(images.shape[-2]).cumsum(0)[:, None]
        return Attribution(rows.flip(0).expand(len(images), -1, images.shape[-1]).clone())

class Narrow(CentreGaussian):
    def __init__(self) -> None:
        super().__init__(0.1)

class Red(Explainer):
    def attribute(self, model, images, targets, context):
        return Attribution(images[:, 0])
"""


def test_a_control_of_the_users_own_is_one_in_the_table_also_of_shards(run, monkeypatch):
    (run.parent / "my_controls.py").write_text(MY_CONTROLS)
    monkeypatch.syspath_prepend(run.parent)
    module = importlib.import_module("my_controls")
    mine = {"upper": module.Upper(), "narrow": module.Narrow(), "red": module.Red()} | EXPLAINERS
    for shard in ("1/2", "2/2"):
        benchmark(run, mine, {"Gini": Gini()}, REGIONS, images_per_class=1, shard=shard)
    merge(run)
    actual = {row["explainer"]: row["control"] for row in read_csv(run / "benchmark/table.csv")}
    assert actual == {"upper": "yes", "narrow": "yes", "red": "no", "edges": "yes",
                        "random": "yes"}  # fmt: skip


def test_results_of_before_controls_said_so_go_on_and_keep_theirs(run):
    benchmark(run, EXPLAINERS, {"Gini": Gini()}, REGIONS, images_per_class=1)
    with sqlite3.connect(run / "benchmark" / "results.sqlite") as connection:
        gone = connection.execute("DELETE FROM settings WHERE name LIKE 'control %'")
        assert gone.rowcount == 2
    connection.close()
    stop_vouching(run / "benchmark" / "results.sqlite")
    assert controls(run) == {"edges", "random"}
    assert benchmark(run, EXPLAINERS, {"Gini": Gini()}, REGIONS, images_per_class=1).computed == 0
    assert controls(run) == {"edges", "random"}
