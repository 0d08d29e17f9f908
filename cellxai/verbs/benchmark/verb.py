"""``benchmark``: every explainer under every metric on many images, resumable, as tables."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cellxai.adapters.benchmark_files import export
from cellxai.adapters.explained_score import ScoreName, name_of, scored_run
from cellxai.explain.base import Explainer
from cellxai.explain.baselines import Baseline, BlurBaseline
from cellxai.explain.benchmark import Setup, run_benchmark
from cellxai.explain.benchmark.judging import OF_METRIC
from cellxai.explain.benchmark.shards import WHOLE, Shard
from cellxai.explain.metrics.base import ExplainerMetric, Metric
from cellxai.explain.results.rows import Row
from cellxai.explain.results.store import Store
from cellxai.explain.score import Score
from cellxai.explain.standard import standard_explainers, standard_metrics
from cellxai.explain.superpixel_cache import CachedSuperpixels
from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.superpixels.methods import Slic
from cellxai.files.lock import file_lock
from cellxai.trained.run import load_run
from cellxai.training.settings import Device
from cellxai.verbs.benchmark.dry_run import Planned, planned
from cellxai.verbs.benchmark.processes import all_are_done, share_of_this_process
from cellxai.verbs.benchmark.run_images import RunItems, SceneTruth
from cellxai.verbs.benchmark.watch import tell, watch
from cellxai.verbs.merge import merge, words_for

MOST_REASONS = 5  # that are told; the tables count all


@dataclass(frozen=True)
class Benchmark:
    """What ``benchmark`` found.

    Args:
        path: Where the results lie, the tables beside them.
        computed: Attributions made and judged by this call; 0 where nothing was missing.
        rows: Scores that are there now.
        failed: How many of them failed, by explainer or metric and reason.
        joined_by: The command that joins the shards; empty where this is the whole.
    """

    path: Path
    computed: int
    rows: int
    failed: dict[str, int]
    joined_by: str = ""

    @property
    def folder(self) -> Path:
        """Where results and tables lie."""
        return self.path.parent

    @property
    def exit_code(self) -> int:
        """1 where nothing but errors came of it."""
        return int(self.rows > 0 and sum(self.failed.values()) == self.rows)

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.rows} scores; {self.computed} attributions computed now"]
        lines += [f"failed ({n} scores): {why}" for why, n in [*self.failed.items()][:MOST_REASONS]]
        if self.failed:
            lines.append("--retry_failed true computes again what failed")
        if self.joined_by:
            lines.append(f"{self.joined_by} joins the shards")
        elif (table := self.folder / "table.md").is_file():
            lines += ["", table.read_text(encoding="utf-8").rstrip()]
        return "\n".join(lines)


def benchmark(
    run: Path,
    explainers: dict[str, Explainer] | None = None,
    metrics: dict[str, Metric | ExplainerMetric] | None = None,
    superpixels: Superpixels | None = None,
    baseline: Baseline | None = None,
    truth: SceneTruth | None = None,
    images_per_class: int | None = None,
    part: str | None = None,
    score: ScoreName | Score = "logit",
    seeds: Sequence[int] = (0,),
    batch_size: int | None = None,
    device: Device = "auto",
    shard: str | None = None,
    retry_failed: bool = False,
    dry_run: bool = False,
) -> Benchmark | Planned:
    """Measures explainers on many images; a second start computes only what is missing.

    Several processes that torchrun starts share the images, and the first joins their results.

    Args:
        run: The run folder of `cellxai fit`.
        explainers: By name; null for LIME, Saliency, Integrated Gradients, Grad-CAM, Occlusion and
            two controls.
        metrics: By name; null for deletion, insertion, single-part effect, seed stability,
            efficient randomisation, Gini, and localisation where masks exist. Those that need a
            truth which an image lacks are counted as missing.
        superpixels: What is hidden together; null for SLIC.
        baseline: What replaces hidden pixels; null for the blurred image. Metrics of faithfulness
            may have one of their own.
        truth: What is asked of the scenes of synthetic images; null for nothing.
        images_per_class: The first so many images of each class; null for all.
        part: train, validation or test; null for the part that had least say in the training.
        score: What is explained and judged, of the class where it is highest: its logit,
            probability or log_odds; or the density of the image's features, or of its least
            known places, after `cellxai density`; or a Score of your own. All but the logit have a
            folder of their own below.
        seeds: Every explainer runs once with each.
        batch_size: Images per forward pass at most; null for what is fastest here, tried at the
            first start and kept.
        device: Where to compute; "auto" takes a CUDA device when there is one.
        shard: i/n takes every n-th image from the i-th on, into a file of its own, for arrays of
            jobs; `cellxai merge` joins them. null for all images.
        retry_failed: Whether to compute again what failed, and to look again for truth that was
            not known.
        dry_run: Whether to count the passes and to forecast the time instead; writes nothing.

    Raises:
        FileNotFoundError: If a density is to be explained and the run has none.
        ValueError: If the folder holds results of the same names made with other settings, or
            another process computes them.
    """
    with share_of_this_process(Shard.parse(shard)) as share:
        trained, name = load_run(run, device), name_of(score)
        model = trained.classifier if name == "logit" else scored_run(trained, score).model
        items = RunItems(trained, part, images_per_class, truth, model)
        setup = Setup(
            model,
            explainers or standard_explainers(),
            metrics or standard_metrics(regions_of(items)),
            superpixels or Slic(),
            baseline or BlurBaseline(),
            tuple(seeds),
        )
        path, mine = trained.folder.benchmark_of(name) / share.file, share.of_items(items)
        if dry_run:
            return planned(setup, mine, path, batch_size)
        cached = CachedSuperpixels(setup.superpixels, trained.folder.explain / "superpixels")
        with file_lock(path, "written", "share the images by --shard i/n"):
            setup, store = replace(setup, superpixels=cached), Store(path)
            steps = run_benchmark(setup, mine, store, batch_size, retry_failed, tell)
            return finished(run, name, store, watch(steps, path), share, wait=shard is None)


def finished(
    run: Path, score: str, store: Store, computed: int, share: Shard, wait: bool
) -> Benchmark:
    """Writes the tables, of all shards where processes share the images and all are done.

    Args:
        run: The run folder.
        score: The name of what is explained.
        store: What this process computed.
        computed: Attributions made by it.
        share: Its shard.
        wait: Whether other processes of the same start have the other shards.
    """
    if share == WHOLE:
        export(store.path.parent, store)
    elif wait and all_are_done():
        merge(run, score)
        return found(Store(store.path.parent / WHOLE.file), computed)
    return found(store, computed, "" if share == WHOLE else words_for("merge", run, score))


def found(store: Store, computed: int, joined_by: str = "") -> Benchmark:
    """What a store holds, in numbers."""
    rows = store.rows()
    failed = Counter(whose(row) for row in rows if row.status == "failed")
    return Benchmark(store.path, computed, len(rows), dict(failed.most_common()), joined_by)


def whose(row: Row) -> str:
    """What a failed row is about, and why it failed."""
    name = row.metric if row.reason.startswith(OF_METRIC) else row.explainer
    return f"{name}: {row.reason.removeprefix(OF_METRIC)}"


def regions_of(items: RunItems) -> set[str]:
    """Regions that are known of some image, by what its data set says without reading them."""
    records = items.trained.images.records(items.part)
    known = {
        "cells": any(record.load_mask is not None for record in records),
        "cause": any(record.load_cause is not None for record in records),
    }
    return {name for name, there in known.items() if there}
