"""Goes through what is missing, attribution by attribution, each on disk before the next."""

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cellxai.explain.base import Model
from cellxai.explain.batch_size import best_batch_size
from cellxai.explain.benchmark.items import Item, ReadyItem, make_ready
from cellxai.explain.benchmark.judge import Judgement, error_line, judge, judge_failure
from cellxai.explain.benchmark.pace import Pace
from cellxai.explain.benchmark.plan import Setup, Task, planned_keys, survey, tasks_of
from cellxai.explain.cost import frozen
from cellxai.explain.precision import float32_products
from cellxai.explain.results.store import Store
from cellxai.explain.status import Status
from cellxai.files.identity import hash_tensors, shorten

BATCH_SIZE = "images per forward pass on {}"
IMAGE = "an image made ready"  # a kind of work beside the explainers


@dataclass(frozen=True)
class Progress:
    """How far a benchmark is, after each attribution.

    Args:
        done: Attributions made and judged, by this start.
        total: Attributions that were missing when it started.
        image: Image of the last attribution.
        explainer: Explainer of the last attribution.
        seed: Seed of the last attribution.
        status: Status of the last attribution.
        seconds_left: Estimated from what each explainer took so far.
    """

    done: int
    total: int
    image: str
    explainer: str
    seed: int
    status: Status
    seconds_left: float


def run_benchmark(
    setup: Setup,
    items: Sequence[Item],
    store: Store,
    batch_size: int | None = None,
    retry_failed: bool = False,
    tell: Callable[[str], None] = warnings.warn,
) -> Iterator[Progress]:
    """Computes what is missing, row by row; nothing happens until it is iterated.

    Stop it at any moment, by closing the iterator or by killing the process: the next start goes on
    after the last attribution that was judged. An explainer or a metric that stops with an error
    gets a row that says so; the others go on.

    Args:
        setup: What judges what.
        items: The images. They are gone through twice and never held, so that a sequence that loads
            lazily keeps one image in memory.
        store: Where the rows go, and where finished ones are found.
        batch_size: Images per forward pass at most; None for what is fastest, tried at the first
            start and kept in the store.
        retry_failed: Whether to compute again what stopped with an error, and to look again for
            truth that was not known.
        tell: Told of every image that cannot be loaded.

    Yields:
        Progress after each attribution, when its rows are on disk.

    Raises:
        ValueError: If two items share an id, or if the store holds results of the same names made
            with other settings, another model or other images.
    """
    products = float32_products(setup.precision)
    with store.keep_open(), frozen(setup.model), products:
        images = survey(items, tell)
        contents = {f"image '{name}'": content for name, (_, content) in images.items()}
        store.bind(setup.settings() | contents, setup.measures())
        keys = planned_keys(images, setup.explainers, setup.metrics, setup.seeds)
        tasks = tasks_of(store.missing_keys(keys, retry_failed))
        total, done = sum(map(len, tasks.values())), 0
        pace, lap = Pace(_count_work(tasks)), Lap()
        for image, of_image in tasks.items():
            item = _make_ready(items, images[image][0], setup, store, batch_size)
            pace.note(IMAGE, lap.seconds())
            for task in of_image:
                result = _judge(item, image, task, setup)
                store.write(result.rows, result.answer, result.inapplicable)
                pace.note(task.explainer, lap.seconds())
                done, status = done + 1, "ok" if result.answer is None else result.answer.status
                left = pace.seconds_left
                yield Progress(done, total, image, task.explainer, task.seed, status, left)


def _make_ready(
    items: Sequence[Item], index: int, setup: Setup, store: Store, batch_size: int | None
) -> ReadyItem | str:
    """An image made ready; where that fails, why."""
    try:
        item = items[index]
        size = batch_size or fastest_batch_size(store, setup.model, item)
        ready = make_ready(
            item, setup.model, setup.superpixels, setup.baseline, size, setup.precision
        )
    except Exception as error:
        return f"image: {error_line(error)}"
    store.bind(truth_settings(ready))
    return ready


def _judge(item: ReadyItem | str, image: str, task: Task, setup: Setup) -> Judgement:
    if isinstance(item, str):
        return judge_failure(image, task, item)
    return judge(item, task, setup.explainers, setup.metrics)


def fastest_batch_size(store: Store, model: Model, item: Item) -> int:
    """Timed once and kept: networks round differently in batches of another size."""
    if chosen := choice_of_batch_size(store, item):
        return chosen
    size = best_batch_size(model, item.image[None])
    store.choose(BATCH_SIZE.format(item.image.device.type), str(size))
    return size


def choice_of_batch_size(store: Store, item: Item) -> int | None:
    """The batch size that an earlier start chose; None where none did."""
    chosen = store.choice(BATCH_SIZE.format(item.image.device.type))
    return None if chosen is None else int(chosen)


def truth_settings(item: ReadyItem) -> dict[str, str]:
    """Regions, as they must be at the next start; not effects, which a model may round anew."""
    return {
        f"region '{name}' of image '{item.id}'": shorten(hash_tensors({name: region}))
        for name, region in item.case.truth.items()
        if not region.is_floating_point()
    }


def _count_work(tasks: Mapping[str, Sequence[Task]]) -> Counter[str]:
    """How often each explainer is asked, and how many images are made ready."""
    asked = Counter(task.explainer for of_image in tasks.values() for task in of_image)
    return asked + Counter({IMAGE: len(tasks)})


class Lap:
    """A stopwatch that begins anew whenever it is read."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """Since it was made or read."""
        before, self._start = self._start, time.perf_counter()
        return self._start - before
