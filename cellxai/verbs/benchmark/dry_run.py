"""The dry run: how many passes each explainer and metric needs, and how long that will take."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellxai.explain.batch_size import best_batch_size
from cellxai.explain.benchmark import Item, Setup
from cellxai.explain.benchmark.forecast import Forecast, Work, forecast
from cellxai.explain.benchmark.plan import planned_keys, surveyed
from cellxai.explain.benchmark.running import choice_of_batch_size
from cellxai.explain.results.rows import Key
from cellxai.explain.results.store import Store
from cellxai.verbs.benchmark.watch import in_words, tell


@dataclass(frozen=True)
class Planned:
    """What ``benchmark --dry_run true`` found; nothing was written.

    Args:
        path: Where the results would go.
        of_image: What one image takes, with all seeds.
        n_images: Of the whole benchmark, or of this shard.
        n_attributions: That are missing.
        n_scores: That are missing.
        seconds: Expected for what is missing.
    """

    path: Path
    of_image: Forecast
    n_images: int
    n_attributions: int
    n_scores: int
    seconds: float

    def __str__(self) -> str:
        speed = self.of_image.speed
        width = max(len(one.name) for one in self.of_image.work)
        explainers = [one for one in self.of_image.work if not one.is_metric]
        metrics = [one for one in self.of_image.work if one.is_metric]
        return "\n".join(
            [
                f"{'one image':{width}} {'forwards':>9} {'backwards':>9} {'expected':>9}",
                *(line(one, width) for one in explainers),
                "metrics, of all explainers; what one has asked, the next does not ask again",
                *(line(one, width) for one in metrics),
                f"a forward pass: {1e3 * speed.batch / speed.batch_size:.1f} ms an image in "
                f"batches of {speed.batch_size}, {1e3 * speed.one:.1f} ms alone; "
                f"back: {1e3 * speed.backward:.1f} ms",
                f"{self.path}: {self.n_attributions} attributions and {self.n_scores} scores "
                f"missing on {self.n_images} images: about {in_words(self.seconds)}",
            ]
        )


def line(one: Work, width: int) -> str:
    """An explainer or metric in the table."""
    counts = f"{one.name:{width}} {one.forwards:>9} {one.backwards:>9} {one.seconds:>7.2f} s"
    return f"{counts}  {one.fault}".rstrip()


def planned(
    setup: Setup, items: Sequence[Item], path: Path, batch_size: int | None = None
) -> Planned:
    """Counts on the first image, and multiplies by what is missing.

    Args:
        setup: What judges what.
        items: The images.
        path: Of the results; need not exist.
        batch_size: Images per forward pass at most; None for that of the store, or the fastest.
    """
    images = surveyed(items, tell)
    keys = planned_keys(images, setup.explainers, setup.metrics, setup.seeds)
    first = items[min(place for place, _ in images.values())]
    if path.exists():
        store = Store(path)
        keys = store.missing(keys)
        batch_size = batch_size or choice_of_batch_size(store, first)
    size = batch_size or best_batch_size(setup.model, first.image[None])
    found = forecast(setup, first, size)
    attributions = {(key.image, key.explainer, key.seed) for key in keys}
    seconds = expected(found, keys, setup)
    return Planned(path, found, len(images), len(attributions), len(keys), seconds)


def expected(of_image: Forecast, keys: Sequence[Key], setup: Setup) -> float:
    """Seconds for some keys, if every image takes what the first does."""
    n_explainers, n_seeds = len(setup.explainers), len(setup.seeds)
    asked = counts({(key.image, key.explainer, key.seed) for key in keys}, 1)
    judging = counts(keys, 2)
    explaining = sum(
        one.seconds * asked[one.name] / n_seeds for one in of_image.work if not one.is_metric
    )
    scoring = sum(
        one.seconds * judging[one.name] / (n_seeds * n_explainers)
        for one in of_image.work
        if one.is_metric
    )
    return explaining + scoring + of_image.preparing * len({key.image for key in keys})


def counts(rows: Iterable[tuple], column: int) -> Counter[str]:
    """How often each name is in a column."""
    return Counter(row[column] for row in rows)
