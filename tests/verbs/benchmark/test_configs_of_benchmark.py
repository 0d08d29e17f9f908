"""What the configs of ``configs/benchmark/`` compare, and that the smallest of them runs."""

import importlib
import pkgutil
import shutil
from pathlib import Path

import pytest

import cellxai.explain.metrics
from cellxai.explain.catalogue import every_explainer, standard_explainers, standard_metrics
from cellxai.explain.metrics.base import Criterion, ExplainerMetric, Metric
from cellxai.explain.results.store import Store
from cellxai.files.identity import describe_settings
from cellxai.verbs.benchmark import benchmark
from gmm.commandline.parser import arguments_of

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "benchmark"
FAMILIES = {"faithfulness", "localisation", "truth", "stability", "sanity", "complexity"}


def arguments(name: str, run: Path = Path("runs/any")) -> dict:
    words = ["--config", str(CONFIGS / f"{name}.yaml"), "--run", str(run)]
    return arguments_of("cellxai benchmark", benchmark, words)


def every_metric() -> set[type[Criterion]]:
    for module in pkgutil.iter_modules(cellxai.explain.metrics.__path__):
        importlib.import_module(f"cellxai.explain.metrics.{module.name}")
    kinds = [*Metric.__subclasses__(), *ExplainerMetric.__subclasses__()]
    for kind in kinds:
        kinds += kind.__subclasses__()
    ours = {kind for kind in kinds if kind.__module__.startswith("cellxai.")}
    return {kind for kind in ours if hasattr(kind, "name")}


@pytest.mark.parametrize("name", ["smoke", "quick", "full", "truth"])
def test_every_family_of_metrics_has_its_say(name):
    assert {metric.family for metric in arguments(name)["metrics"].values()} >= FAMILIES


def test_the_full_benchmark_leaves_nothing_out():
    full = arguments("full")
    actual = {type(explainer) for explainer in full["explainers"].values()}
    assert actual == {type(explainer) for explainer in every_explainer().values()}
    judges = {type(metric) for metric in full["metrics"].values()}
    judges |= {type(metric) for metric in arguments("truth")["metrics"].values()}
    assert judges == every_metric()


def test_one_run_can_be_measured_by_one_config_after_the_other():
    descriptions: dict[str, str] = {}
    parts = standard_explainers() | standard_metrics({"cells", "cause"})  # of no config at all
    for config in map(arguments, ("smoke", "quick", "full")):
        assert config["truth"] == arguments("smoke")["truth"]
        for name, part in (parts | config["explainers"] | config["metrics"]).items():
            assert descriptions.setdefault(name, describe_settings(part)) == describe_settings(part)


@pytest.mark.parametrize("name", ["quick", "full", "truth", "vit", "real-cells"])
def test_controls_and_two_ways_of_hiding_are_always_there(name):
    chosen = arguments(name)
    controls = [
        explainer
        for explainer in chosen["explainers"].values()
        if "controls" in type(explainer).__module__
    ]
    assert len(controls) >= 2
    if name not in ("truth", "vit"):
        fills = {
            type(metric.baseline) for metric in chosen["metrics"].values()
            if metric.name in ("deletion", "insertion")
        }  # fmt: skip
        assert len(fills) >= 2


@pytest.mark.slow
def test_the_smoke_benchmark_measures_everything_it_names(tiny_run, tmp_path):
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    chosen = arguments("smoke", run)
    benchmark(**chosen)
    rows = Store(run / "benchmark" / "results.sqlite").rows()
    assert not [row.reason for row in rows if row.status == "failed"]
    assert {row.metric for row in rows} == set(chosen["metrics"])
    assert {row.explainer for row in rows} == set(chosen["explainers"])
    assert len({row.image for row in rows}) == 3
