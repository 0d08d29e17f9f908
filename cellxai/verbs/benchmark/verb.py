"""``benchmark``: every explainer under every metric on many images, resumable, as tables."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cellxai.adapters.benchmark_files import export
from cellxai.adapters.explained_score import ScoreName
from cellxai.explain.base import Explainer
from cellxai.explain.baselines import Baseline, BlurBaseline
from cellxai.explain.benchmark import run_benchmark
from cellxai.explain.benchmark.judge import OF_METRIC
from cellxai.explain.benchmark.shards import WHOLE, Shard
from cellxai.explain.catalogue import standard_explainers
from cellxai.explain.metrics.base import ExplainerMetric, Metric
from cellxai.explain.precision import Precision
from cellxai.explain.results.rows import ScoreRow
from cellxai.explain.results.store import Store
from cellxai.explain.score import Score
from cellxai.explain.superpixel_cache import CachedSuperpixels
from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.superpixels.methods import Slic
from cellxai.files.frame import Frame, read_frame
from cellxai.files.lock import file_lock
from cellxai.files.returned import Returned
from cellxai.training.settings import Device
from cellxai.verbs.benchmark.dry_run import DryRun, plan_run
from cellxai.verbs.benchmark.processes import share_of_this_process, wait_for_all
from cellxai.verbs.benchmark.question import Assignment, Question, assign
from cellxai.verbs.benchmark.run_images import SceneTruth
from cellxai.verbs.benchmark.watch import tell, watch
from cellxai.verbs.merge import command_for, merge

MOST_REASONS = 5  # that are told; the tables count all


@dataclass(frozen=True)
class Benchmark(Returned):
    """What ``benchmark`` found.

    Args:
        path: Where the results lie, the tables beside them.
        computed: Attributions made and judged by this call; 0 where nothing was missing.
        rows: Scores that are there now.
        failed: How many of them failed, by explainer or metric and reason.
        joined_by: The command that joins the shards; empty where this is the whole.
    """

    pictures = "*.png"

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

    def to_frame(self) -> Frame:
        """A row per metric and explainer, with the mean over images and its interval."""
        return read_frame(self.folder / "table.csv")

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
    precision: Precision = "exact",
    shard: str | None = None,
    retry_failed: bool = False,
    dry_run: bool = False,
) -> Benchmark | DryRun:
    """Measures explainers on many images; a second start computes only what is missing.

    Several processes that torchrun starts share the images, and the first joins their results.

    Args:
        run: The run folder of `cellxai fit`.
        explainers: By name; null for LIME, Saliency, Integrated Gradients, Grad-CAM, Occlusion and
            two controls.
        metrics: By name; null for deletion, insertion, single-part effect, seed stability,
            efficient randomisation, Gini, and localisation where masks exist. A metric that needs a
            truth which an image lacks is counted as missing there.
        superpixels: What is hidden together; null for SLIC.
        baseline: What replaces hidden pixels; null for the blurred image. Metrics of faithfulness
            may have one of their own.
        truth: What is asked of the scenes of synthetic images; null for nothing.
        images_per_class: How many images of each class, the first by id; null for all.
        part: train, validation or test; null for the part that had the least influence on the
            training.
        score: What is explained and judged, of the class where it is highest: its logit,
            probability or log_odds; of independent labels their sigmoid or sigmoid_log_odds; or the
            density of the image, after `cellxai density`: the log p-value of the view that it
            surprises most; or a Score of your own. All but the logit have a folder of their own
            below.
        seeds: Seeds of the explainers; every one runs once with each.
        batch_size: Images per forward pass at most; null for what is fastest here, tried at the
            first start and kept.
        device: Where to compute; "auto" takes a CUDA device when there is one.
        precision: Whether a CUDA device multiplies float32 numbers as a CPU does, or "fast", with
            11 bits of each (TF32); the results keep which.
        shard: i/n takes every n-th image from the i-th on, into a file of its own, for arrays of
            jobs; `cellxai merge` joins them. null for all images.
        retry_failed: Whether to compute again what failed, and to look again for truth that was
            not known.
        dry_run: Whether to count the passes and forecast the time instead; nothing is written then.

    Raises:
        FileNotFoundError: If a density is to be explained and the run has none.
        ValueError: If the folder holds results of the same names made with other settings, or
            another process computes them.
    """
    question = Question(
        run=run,
        explainers=explainers or standard_explainers(),
        metrics=metrics,
        superpixels=superpixels or Slic(),
        baseline=baseline or BlurBaseline(),
        truth=truth,
        images_per_class=images_per_class,
        part=part,
        score=score,
        seeds=tuple(seeds),
        batch_size=batch_size,
        device=device,
        precision=precision,
        shard=shard,
        retry_failed=retry_failed,
    )
    with share_of_this_process(Shard.parse(shard)) as share:
        assignment = assign(question, share)
        if dry_run:
            return plan_run(assignment.setup, assignment.items, assignment.path, batch_size)
        return compute(assignment)


def compute(assignment: Assignment) -> Benchmark:
    """Computes what is missing of an assignment, and writes the tables.

    Raises:
        ValueError: If the file holds results of the same names made with other settings, or another
            process computes them.
    """
    path, question = assignment.path, assignment.question
    cached = CachedSuperpixels(assignment.setup.superpixels, assignment.superpixels_folder)
    with file_lock(path, "written", "share the images by --shard i/n"):
        setup, store = replace(assignment.setup, superpixels=cached), Store(path)
        steps = run_benchmark(
            setup, assignment.items, store, question.batch_size, question.retry_failed, tell
        )
        return finish(assignment, store, watch(steps, path))


def finish(assignment: Assignment, store: Store, computed: int) -> Benchmark:
    """Writes the tables, of all shards where processes share the images and all are done.

    Args:
        assignment: What this process had to do.
        store: What it computed.
        computed: Attributions made by it.
    """
    question, share = assignment.question, assignment.share
    shared_by_processes = share != WHOLE and question.shard is None
    if share == WHOLE:
        export(store.path.parent, store)
    elif shared_by_processes and wait_for_all():
        merge(question.run, assignment.score)
        return summarise_store(Store(store.path.parent / WHOLE.file), computed)
    joined_by = "" if share == WHOLE else command_for("merge", question.run, assignment.score)
    return summarise_store(store, computed, joined_by)


def summarise_store(store: Store, computed: int, joined_by: str = "") -> Benchmark:
    """What a store holds, in numbers."""
    rows = store.rows()
    failed = Counter(name_failure(row) for row in rows if row.status == "failed")
    return Benchmark(store.path, computed, len(rows), dict(failed.most_common()), joined_by)


def name_failure(row: ScoreRow) -> str:
    """What a failed row is about, and why it failed."""
    name = row.metric if row.reason.startswith(OF_METRIC) else row.explainer
    return f"{name}: {row.reason.removeprefix(OF_METRIC)}"
