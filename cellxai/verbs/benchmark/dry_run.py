"""The dry run: how many passes each explainer and metric needs, and how long that will take."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellxai.explain.batch_size import best_batch_size
from cellxai.explain.benchmark import Item, Setup
from cellxai.explain.benchmark.engine import choice_of_batch_size
from cellxai.explain.benchmark.forecast import Forecast, Work, forecast
from cellxai.explain.benchmark.plan import planned_keys, survey
from cellxai.explain.results.rows import Key
from cellxai.explain.results.store import Store
from cellxai.verbs.benchmark.watch import format_duration, tell


@dataclass(frozen=True)
class DryRun:
    """What ``benchmark --dry_run true`` found; nothing was written.

    Args:
        path: Where the results would go.
        of_image: What one image takes, with all seeds.
        n_images: Images of the whole benchmark, or of this shard.
        n_attributions: Attributions that are missing.
        n_scores: Scores that are missing.
        seconds: Expected time for what is missing.
    """

    path: Path
    of_image: Forecast
    n_images: int
    n_attributions: int
    n_scores: int
    seconds: float

    def __str__(self) -> str:
        speed = self.of_image.speed
        width = max(len(work.name) for work in self.of_image.work)
        explainers = [work for work in self.of_image.work if not work.is_metric]
        metrics = [work for work in self.of_image.work if work.is_metric]
        return "\n".join(
            [
                f"{'one image':{width}} {'forwards':>9} {'backwards':>9} {'expected':>9}",
                *(table_line(work, width) for work in explainers),
                "metrics, of all explainers; what one has asked, the next does not ask again",
                *(table_line(work, width) for work in metrics),
                f"a forward pass: {1e3 * speed.batch / speed.batch_size:.1f} ms an image in "
                f"batches of {speed.batch_size}, {1e3 * speed.single:.1f} ms alone; "
                f"back: {1e3 * speed.backward:.1f} ms",
                f"{self.path}: {self.n_attributions} attributions and {self.n_scores} scores "
                f"missing on {self.n_images} images: about {format_duration(self.seconds)}",
            ]
        )


def table_line(work: Work, width: int) -> str:
    """An explainer or metric in the table."""
    counts = f"{work.name:{width}} {work.forwards:>9} {work.backwards:>9} {work.seconds:>7.2f} s"
    return f"{counts}  {work.fault}".rstrip()


def plan_run(
    setup: Setup, items: Sequence[Item], path: Path, batch_size: int | None = None
) -> DryRun:
    """Counts on the first image, and multiplies by what is missing.

    Args:
        setup: What judges what.
        items: The images.
        path: Where the results lie or would go; need not exist.
        batch_size: Images per forward pass at most; None for that of the store, or the fastest.
    """
    images = survey(items, tell)
    keys = planned_keys(images, setup.explainers, setup.metrics, setup.seeds)
    first = items[min(index for index, _ in images.values())]
    if path.exists():
        store = Store(path)
        keys = store.missing_keys(keys)
        batch_size = batch_size or choice_of_batch_size(store, first)
    size = batch_size or best_batch_size(setup.model, first.image[None])
    of_image = forecast(setup, first, size)
    attributions = {(key.image, key.explainer, key.seed) for key in keys}
    seconds = expected_seconds(of_image, keys, setup)
    return DryRun(path, of_image, len(images), len(attributions), len(keys), seconds)


def expected_seconds(of_image: Forecast, keys: Sequence[Key], setup: Setup) -> float:
    """Seconds for some keys, if every image takes what the first does."""
    n_explainers, n_seeds = len(setup.explainers), len(setup.seeds)
    attributions = {(key.explainer, key.image, key.seed) for key in keys}
    asked = Counter(explainer for explainer, _, _ in attributions)
    judged = Counter(key.metric for key in keys)
    explaining = sum(
        work.seconds * asked[work.name] / n_seeds for work in of_image.work if not work.is_metric
    )
    scoring = sum(
        work.seconds * judged[work.name] / (n_seeds * n_explainers)
        for work in of_image.work
        if work.is_metric
    )
    return explaining + scoring + of_image.preparing * len({key.image for key in keys})
