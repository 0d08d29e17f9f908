import math
import sys

import pytest
from small_benchmark import EXPLAINERS, METRICS, REGIONS, Interrupted, stored, table

from cellxai import cli
from cellxai.adapters.explained_images import choose_subjects
from cellxai.explain.base import Explainer
from cellxai.explain.benchmark import engine
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.metrics.complexity import Gini
from cellxai.files.folder import read_csv
from cellxai.trained.run import load_run
from cellxai.verbs.benchmark import benchmark
from cellxai.verbs.benchmark.run_images import RunItems
from cellxai.verbs.merge import merge

pytestmark = pytest.mark.usefixtures("drawn")


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
    known = choose_subjects(load_run(measured.folder.parent))
    lines = {row["metric"]: row for row in read_csv(measured.folder / "table.csv")}
    for metric, region in {"mass in cells": "cells", "pointing at cause": "cause"}.items():
        shares = [float(subject.truth[region].float().mean()) for subject in known]
        expected = sum(shares) / len(shares)
        assert 0 < expected < 1
        assert float(lines[metric]["chance"]) == pytest.approx(expected, rel=1e-3)
    assert lines["Gini"]["chance"] == ""


def test_the_markdown_table_is_what_is_printed(measured):
    table = (measured.folder / "table.md").read_text()
    assert table.strip() in str(measured)
    for name in (*EXPLAINERS, "deletion ↓", "mass in cells ↑"):
        assert name in table


def test_tables_and_pictures_lie_beside_the_results(measured):
    written = {path.name for path in measured.folder.iterdir()}
    assert written >= {"results.sqlite", "table.csv", "table.parquet", "table.md", "table.tex"}
    assert "pictures.json" in written


def test_pictures_are_drawn_anew_only_where_a_number_changed(run, drawn):
    asked = {"superpixels": REGIONS, "images_per_class": 1}
    for _ in range(2):
        benchmark(run, EXPLAINERS, METRICS, **asked)
        assert drawn == [run / "benchmark"]
    benchmark(run, EXPLAINERS, METRICS, seeds=(0, 1), **asked)
    assert len(drawn) == 2


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
    benchmark(run, {"edges": Edges()}, None, REGIONS, images_per_class=1)
    assert {row.metric for row in stored(run).rows()} == {
        "deletion", "insertion", "single-part effect", "seed stability", "efficient randomisation",
        "Gini", "mass in cells", "pointing at cells", "mass in cause", "pointing at cause",
    }  # fmt: skip


def test_every_seed_is_a_row_of_its_own(run):
    mine = {"images_per_class": 1, "seeds": (0, 1)}
    benchmark(run, {"random": RandomAttribution()}, {"Gini": Gini()}, REGIONS, **mine)
    values = {(row.image, row.seed): row.value for row in stored(run).rows()}
    assert len(values) == 6
    assert len(set(values.values())) == 6


class Broken(Explainer):
    """Never works."""

    def attribute(self, model, images, targets, context):
        raise RuntimeError("no luck")


def test_what_failed_is_told_and_counted_and_the_rest_is_there(run):
    mine = {"broken": Broken(), "edges": Edges()}
    made = benchmark(run, mine, {"Gini": Gini()}, REGIONS, images_per_class=1)
    assert made.failed == {"broken: RuntimeError: no luck": 3}
    assert (made.rows, made.exit_code) == (6, 0)
    assert "failed (3 scores): broken: RuntimeError: no luck" in str(made)
    lines = {row["explainer"]: row for row in read_csv(made.folder / "table.csv")}
    assert (lines["broken"]["n_failed"], lines["edges"]["n_failed"]) == ("3", "0")


def test_nothing_but_failures_is_no_success(run):
    made = benchmark(run, {"broken": Broken()}, {"Gini": Gini()}, REGIONS, images_per_class=1)
    assert made.exit_code == 1


def test_shards_are_merged_into_the_table_of_the_whole(run, measured):
    for number in (1, 2, 3):
        made = benchmark(run, EXPLAINERS, METRICS, REGIONS, shard=f"{number}/3")
        assert made.path.name == f"results-{number}-of-3.sqlite"
        assert "cellxai merge" in str(made)
    assert not stored(run).rows()
    merged = merge(run)
    assert (merged.new, merged.rows, merged.absent) == (measured.rows, measured.rows, ())
    for name in ("table", "ranks", "comparisons", "agreement"):
        assert table(run / "benchmark", name) == table(measured.folder, name)
    assert merge(run).new == 0


def test_the_batch_size_is_tried_once_and_kept(run, monkeypatch):
    sizes = iter([2, 4])
    monkeypatch.setattr(engine, "best_batch_size", lambda model, image: next(sizes))
    for part in ("train", "test"):
        benchmark(run, EXPLAINERS, METRICS, REGIONS, images_per_class=1, part=part)
    assert stored(run).choice("images per forward pass on cpu") == "2"
    assert next(sizes) == 4


MY_LAB = """
from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.metrics.base import ExplainerMetric, Metric

class Red(Explainer):
    def attribute(self, model, images, targets, context):
        return Attribution(images[:, 0])

class Mean(Metric):
    name, family, direction, range, paper = "mean", "mine", "higher", (0.0, 1.0), "none"
    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor
    def measure(self, case, attribution):
        return self.factor * attribution.values.mean((1, 2))

class Again(ExplainerMetric):
    name, family, direction, range, paper = "again", "mine", "lower", (0.0, 1.0), "none"
    def measure(self, explainer, case, attribution):
        again = case.ask(explainer).values
        return (again - attribution.values).abs().amax((1, 2))
"""
MY_CONFIG = """
explainers:
  mine: {class_path: my_lab.Red}
  random: {class_path: cellxai.explain.controls.RandomAttribution}
metrics:
  mean: {class_path: my_lab.Mean, init_args: {factor: 1.0}}
  again: {class_path: my_lab.Again}
  black: {class_path: cellxai.explain.metrics.faithfulness.DeletionAUC,
          init_args: {baseline: {class_path: cellxai.explain.baselines.ConstantBaseline}}}
  blurred: {class_path: cellxai.explain.metrics.faithfulness.DeletionAUC,
            init_args: {baseline: {class_path: cellxai.explain.baselines.BlurBaseline}}}
images_per_class: 1
"""


def test_an_explainer_and_metrics_from_a_users_file_appear_in_the_table(run, monkeypatch, capsys):
    (run.parent / "my_lab.py").write_text(MY_LAB)
    (run.parent / "mine.yaml").write_text(MY_CONFIG)
    monkeypatch.chdir(run.parent)
    monkeypatch.syspath_prepend(run.parent)
    words = ["benchmark", str(run), "--config", "mine.yaml"]
    try:
        assert cli.run("cellxai", cli.ABOUT, cli.VERBS, words) == 0
        (run.parent / "my_lab.py").write_text(MY_LAB + "# edited\n")
        assert cli.run("cellxai", cli.ABOUT, cli.VERBS, words) == 2
    finally:
        sys.modules.pop("my_lab", None)
    output = capsys.readouterr()
    assert "explainer 'mine' was my_lab.Red() sha256:" in output.err
    lines = {(row["explainer"], row["metric"]): row for row in
             read_csv(run / "benchmark" / "table.csv")}  # fmt: skip
    values = {item.id: item.image[0].mean().item() for item in RunItems(load_run(run), None, 1)}
    assert float(lines["mine", "mean"]["mean"]) == pytest.approx(sum(values.values()) / 3)
    assert lines["mine", "again"]["mean"] == lines["random", "again"]["mean"] == "0.0"
    assert lines["mine", "black"]["mean"] != lines["mine", "blurred"]["mean"]
    assert "| mine |" in output.out
