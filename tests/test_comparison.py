import math
import shutil
from pathlib import Path

import pytest

from cellxai.comparison import Benchmark, benchmark
from cellxai.explain.base import Explainer
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC
from cellxai.explain.metrics.localisation import PointingGame, RelevanceMass
from cellxai.explain.store import Store
from cellxai.explain.superpixels import Grid
from cellxai.runfolder import read_csv
from cellxai.subjects import subjects
from cellxai.training.trained import load_run

REGIONS = Grid(size_px=16)
METRICS = {
    "deletion": DeletionAUC(),
    "Gini": Gini(),
    "mass in cells": RelevanceMass("cells"),
    "pointing at cause": PointingGame("cause"),
}
EXPLAINERS = {"edges": Edges(), "random": RandomAttribution()}


class Interrupted(Explainer):
    """The random control, until somebody pulls the plug."""

    calls_left = math.inf

    def attribute(self, model, images, targets, context):
        if Interrupted.calls_left <= 0:
            raise KeyboardInterrupt
        Interrupted.calls_left -= 1
        return RandomAttribution().attribute(model, images, targets, context)


@pytest.fixture
def run(tiny_run, tmp_path) -> Path:
    """A copy of the trained run to write into."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture(scope="module")
def measured(tiny_run, tmp_path_factory) -> Benchmark:
    """Two explainers on all test images."""
    copy = shutil.copytree(tiny_run, tmp_path_factory.mktemp("benchmark") / "run")
    return benchmark(Path(copy), EXPLAINERS, METRICS, REGIONS)


def stored(run: Path) -> Store:
    return Store(run / "benchmark" / "results.sqlite")


def test_the_table_has_every_explainer_under_every_metric(measured):
    rows = read_csv(measured.folder / "table.csv")
    assert sorted((row["explainer"], row["metric"]) for row in rows) == sorted(
        (explainer, metric) for explainer in EXPLAINERS for metric in METRICS
    )
    n_images = len(load_run(measured.folder.parent).images.records("test"))
    assert measured.computed == n_images * len(EXPLAINERS)
    for row in rows:
        assert int(row["n_images"]) + int(row["n_degenerate"]) == n_images
        assert row["n_missing"] == "0"
        assert float(row["low"]) <= float(row["mean"]) <= float(row["high"])


def test_means_are_those_of_the_stored_rows(measured):
    rows = stored(measured.folder.parent).rows()
    for line in read_csv(measured.folder / "table.csv"):
        values = [
            row.value
            for row in rows
            if (row.explainer, row.metric) == (line["explainer"], line["metric"])
        ]
        assert float(line["mean"]) == pytest.approx(sum(values) / len(values), rel=1e-3)


def test_localisation_has_the_share_of_its_region_as_chance(measured):
    known = subjects(load_run(measured.folder.parent))
    lines = {row["metric"]: row for row in read_csv(measured.folder / "table.csv")}
    for metric, region in {"mass in cells": "cells", "pointing at cause": "cause"}.items():
        shares = [float(one.truth[region].float().mean()) for one in known]
        expected = sum(shares) / len(shares)
        assert 0 < expected < 1
        assert float(lines[metric]["chance"]) == pytest.approx(expected, rel=1e-3)
    assert lines["Gini"]["chance"] == ""


def test_the_markdown_table_is_what_is_printed(measured):
    table = (measured.folder / "table.md").read_text()
    assert table.strip() in str(measured)
    header, _, *lines = table.splitlines()
    assert header.startswith("| explainer | ")
    assert "deletion ↓" in header
    assert "mass in cells ↑" in header
    assert len(lines) == len(EXPLAINERS)


def test_what_is_there_is_not_computed_again(measured):
    run = measured.folder.parent
    before = stored(run).rows()
    assert benchmark(run, EXPLAINERS, METRICS, REGIONS).computed == 0
    assert stored(run).rows() == before


def test_a_benchmark_killed_in_the_middle_computes_only_what_is_missing(run):
    explainers = {"mine": Interrupted(), "edges": Edges()}
    Interrupted.calls_left = 2
    with pytest.raises(KeyboardInterrupt):
        benchmark(run, explainers, METRICS, REGIONS, images_per_class=1)
    before = stored(run).rows()
    assert len(before) == 4 * len(METRICS)  # two images, both explainers
    Interrupted.calls_left = math.inf
    resumed = benchmark(run, explainers, METRICS, REGIONS, images_per_class=1)
    assert resumed.computed == 2  # the third image
    after = stored(run).rows()
    assert len(after) == 6 * len(METRICS)
    assert set(map(repr, before)) < set(map(repr, after))


def test_other_settings_under_the_same_name_are_refused(run):
    benchmark(run, {"mine": Edges()}, {"Gini": Gini()}, REGIONS, images_per_class=1)
    with pytest.raises(ValueError, match=r"explainer 'mine' was .*Edges.*now it is .*Random"):
        benchmark(run, {"mine": RandomAttribution()}, {"Gini": Gini()}, REGIONS, images_per_class=1)


def test_by_default_regions_that_are_known_are_measured(run):
    found = benchmark(run, {"edges": Edges()}, None, REGIONS, images_per_class=1)
    assert {one.metric for one in found.summaries} == {
        "deletion", "insertion", "Gini", "mass in cells", "pointing at cells", "mass in cause",
        "pointing at cause",
    }  # fmt: skip


def test_every_seed_is_a_row_of_its_own(run):
    mine = {"images_per_class": 1, "seeds": (0, 1)}
    benchmark(run, {"random": RandomAttribution()}, {"Gini": Gini()}, REGIONS, **mine)
    values = {(row.image, row.seed): row.value for row in stored(run).rows()}
    assert len(values) == 6
    assert len(set(values.values())) == 6
