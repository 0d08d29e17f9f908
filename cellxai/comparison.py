"""``benchmark``: every explainer under every metric on many images, resumable, as tables."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar

from cellxai.explain.base import Explainer
from cellxai.explain.baselines import Baseline, BlurBaseline
from cellxai.explain.batches import best_batch_size
from cellxai.explain.benchmark import Item, Progress, run_benchmark
from cellxai.explain.metrics.base import Metric
from cellxai.explain.standard import standard_explainers, standard_metrics
from cellxai.explain.store import Store
from cellxai.explain.summary import Summary, summarise
from cellxai.explain.superpixel_cache import CachedSuperpixels
from cellxai.explain.superpixels import Slic, Superpixels
from cellxai.runfolder import atomic, write_csv
from cellxai.subjects import Subject, subjects
from cellxai.training.settings import Device
from cellxai.training.trained import load_run


@dataclass(frozen=True)
class Benchmark:
    """What ``benchmark`` found.

    Args:
        folder: Where results and tables lie.
        computed: Attributions made and judged by this call; 0 where nothing was missing.
        summaries: One line per explainer and metric.
    """

    folder: Path
    computed: int
    summaries: tuple[Summary, ...]

    def __str__(self) -> str:
        made = f"{self.folder}: {self.computed} attributions computed, the rest was there"
        return "\n".join([made, "", markdown(self.summaries)])


def benchmark(
    run: Path,
    explainers: dict[str, Explainer] | None = None,
    metrics: dict[str, Metric] | None = None,
    superpixels: Superpixels | None = None,
    baseline: Baseline | None = None,
    images_per_class: int | None = None,
    part: str | None = None,
    seeds: Sequence[int] = (0,),
    batch_size: int | None = None,
    device: Device = "auto",
) -> Benchmark:
    """Measures explainers on many images; a second start computes only what is missing.

    Args:
        run: The run folder of `cellxai fit`.
        explainers: By name; null for LIME, Saliency, Integrated Gradients, Grad-CAM, Occlusion and
            two controls.
        metrics: By name; null for deletion, insertion, Gini, and localisation where masks exist.
        superpixels: What is hidden together; null for SLIC.
        baseline: What replaces hidden pixels; null for the blurred image.
        images_per_class: The first so many images of each class; null for all.
        part: train, validation or test; null for the part that had least say in the training.
        seeds: Every explainer runs once with each.
        batch_size: Images per forward pass at most; null for what is fastest here, by trying.
        device: Where to compute; "auto" takes a CUDA device when there is one.

    Raises:
        ValueError: If the folder holds results of the same names made with other settings.
    """
    trained = load_run(run, device)
    items = [as_item(subject) for subject in subjects(trained, part, images_per_class)]
    regions = {name for item in items for name in item.truth}
    folder = trained.folder.benchmark
    chosen, judged_by = explainers or standard_explainers(), metrics or standard_metrics(regions)
    store = Store(folder / "results.sqlite")
    steps = run_benchmark(
        trained.classifier,
        items,
        chosen,
        judged_by,
        CachedSuperpixels(superpixels or Slic(), trained.folder.explain / "superpixels"),
        baseline or BlurBaseline(),
        store,
        seeds,
        batch_size or best_batch_size(trained.classifier, items[0].image[None]),
    )
    computed = watch(steps)
    summaries = summarise(store)
    write_csv(folder / "table.csv", [table_row(one) for one in summaries])
    with atomic(folder / "table.md") as temporary:
        temporary.write_text(markdown(summaries) + "\n", encoding="utf-8")
    return Benchmark(folder, computed, tuple(summaries))


def as_item(subject: Subject) -> Item:
    """A subject as the benchmark of the ``explain`` part takes it."""
    return Item(subject.record.id, subject.image[0], subject.target, subject.truth)


def watch(steps: Iterable[Progress]) -> int:
    """Runs a benchmark to its end under a progress bar; returns how many attributions it made."""
    console = Console(stderr=True)
    done = 0
    with Bar(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("measuring explainers", total=None)
        for step in steps:
            done = step.done
            bar.update(task, completed=done, total=step.total, description=step.explainer)
    return done


def table_row(one: Summary) -> dict[str, Any]:
    """A line of ``table.csv``."""
    return {
        "explainer": one.explainer, "metric": one.metric, "direction": one.direction,
        "mean": figure(one.score.mean), "low": figure(one.score.low),
        "high": figure(one.score.high),
        "n_images": one.score.n, "n_degenerate": one.degenerate, "n_missing": one.missing,
        "chance": figure(one.chance), "status": one.status, "forwards": figure(one.forwards),
        "backwards": figure(one.backwards), "seconds": figure(one.seconds),
    }  # fmt: skip


def figure(value: float) -> str:
    """A number of the table; empty where there is none."""
    return "" if math.isnan(value) else f"{value:.4g}"


def markdown(summaries: Sequence[Summary]) -> str:
    """Explainers down, metrics across, mean and 95 % interval over images in each cell."""
    metrics = list(dict.fromkeys(one.metric for one in summaries))
    explainers = list(dict.fromkeys(one.explainer for one in summaries))
    cells = {(one.explainer, one.metric): one for one in summaries}
    directions = {one.metric: "↑" if one.direction == "higher" else "↓" for one in summaries}
    header = ["explainer", *(f"{name} {directions[name]}" for name in metrics)]
    lines = [header, ["---"] * len(header)]
    for explainer in explainers:
        lines.append([explainer, *(cell(cells.get((explainer, name))) for name in metrics)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(one: Summary | None) -> str:
    """Mean and interval, or a dash where nothing was measured."""
    if one is None or math.isnan(one.score.mean):
        return "–"
    return f"{one.score.mean:.3f} [{one.score.low:.3f}, {one.score.high:.3f}]"
