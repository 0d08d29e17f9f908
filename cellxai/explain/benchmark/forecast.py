"""What a benchmark will cost, counted before it is started."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.batch_size import clock_of, images_per_second
from cellxai.explain.benchmark.items import Item, ReadyItem, make_ready
from cellxai.explain.benchmark.judge import OF_METRIC, judge
from cellxai.explain.benchmark.plan import Setup, Task
from cellxai.explain.cost import frozen
from cellxai.explain.metrics.base import ExplainerMetric
from cellxai.explain.precision import float32_products
from cellxai.explain.results.rows import Answer, ScoreRow

REPEATS = 3  # the fastest counts: what else the machine does can only slow a pass down
COARSE = 8  # rows and columns that the stand-in sees, to be fast
MOST_RETURNING = 8  # images whose gradient is timed together: a large batch may not fit in memory
UNKNOWN_TRUTH = "needs a truth that the first image lacks"


@dataclass(frozen=True)
class Speed:
    """How long passes through a model take on this device.

    Args:
        batch_size: Images per forward pass at most.
        single: Seconds of a forward pass of one image.
        batch: Seconds of a forward pass of ``batch_size`` images.
        backward: Seconds that an image takes to come back, in batches of that size.
    """

    batch_size: int
    single: float
    batch: float
    backward: float

    def seconds(self, forwards: int, backwards: int, at_once: int) -> float:
        """Seconds of so many passes, in batches of ``at_once`` images at most."""
        size = min(max(at_once, 1), self.batch_size)
        per_image = 0.0
        if self.batch_size > 1:
            per_image = max(self.batch - self.single, 0.0) / (self.batch_size - 1)
        calls = ceil(forwards / size)
        return calls * (self.single - per_image) + forwards * per_image + backwards * self.backward


@dataclass(frozen=True)
class Work:
    """What an explainer or a metric does, for one image and all seeds.

    Args:
        name: Its name in the config.
        is_metric: Whether it is a metric: its passes are those for all explainers together, each
            image asked about only once.
        forwards: Images through the model.
        backwards: Images whose gradient comes back.
        seconds: What these passes and all else take.
        fault: Why it could not be counted.
    """

    name: str
    is_metric: bool
    forwards: int
    backwards: int
    seconds: float
    fault: str = ""


@dataclass(frozen=True)
class Forecast:
    """What one image takes, in all.

    Args:
        speed: How fast the model is.
        work: What each explainer and each metric does.
        preparing: Seconds until an image is ready: its truth, its superpixels, its baseline.
    """

    speed: Speed
    work: tuple[Work, ...]
    preparing: float

    @property
    def seconds(self) -> float:
        """Seconds that one image takes."""
        return self.preparing + sum(work.seconds for work in self.work)


def forecast(setup: Setup, item: Item, batch_size: int) -> Forecast:
    """Does all the work for one image on a stand-in, and adds what the passes take on the model.

    The stand-in takes the same images, answers for as many classes and takes next to no time, so
    that explainers and metrics do all they would do: passes are counted, and their own arithmetic
    is timed. Each explainer works once; a metric that asks it again is told the same map, and every
    time counts as much. What depends on the network or on chance may differ: when LIME stops
    sampling, how often Grad-CAM looks for its layer, how long it takes to draw random weights.

    Args:
        setup: What judges what.
        item: A typical image.
        batch_size: Images per forward pass at most.
    """
    model, images = setup.model, item.image[None]
    with frozen(model), float32_products(setup.precision):
        with torch.no_grad():
            scores = model(images)
        target = int(scores.argmax()) if item.target is None else item.target
        start = clock_of(images.device)
        shared = setup.superpixels, setup.baseline, batch_size
        ready = make_ready(replace(item, target=target), model, *shared)
        preparing = clock_of(images.device) - start
        speed = speed_of(model, images, ready.case.context.batch_size)
    other = stand_in(model, images, scores.shape[1])
    return Forecast(speed, count_work(ready.with_model(other), setup, speed), preparing)


def count_work(item: ReadyItem, setup: Setup, speed: Speed) -> tuple[Work, ...]:
    """The work of every explainer and metric on one image, each with every seed."""
    answers: dict[str, list[Answer]] = {}
    rows: dict[str, list[ScoreRow]] = {name: [] for name in setup.metrics}
    for seed, name in product(setup.seeds, setup.explainers):
        recalled, answer = Recalled(setup.explainers[name]), None
        for together in groups_of_metrics(setup):
            asked = recalled.asked
            result = judge(item, Task(name, seed, together), {name: recalled}, setup.metrics)
            answer = answer or result.answer
            if answer is None:
                continue  # nothing can judge it
            again = recalled.asked - asked - 1
            for row in result.rows:
                rows[row.metric].append(add_repetitions(row, answer, again))
        if answer is not None:
            answers.setdefault(name, []).append(answer)
    explainers = [work_of_explainer(name, answers[name], speed) for name in answers]
    return (*explainers, *(work_of_metric(name, rows[name], speed) for name in rows))


def groups_of_metrics(setup: Setup) -> list[tuple[str, ...]]:
    """Metrics of maps together, as one attribution serves all; metrics of explainers one by one."""
    asking = [name for name, metric in setup.metrics.items() if isinstance(metric, ExplainerMetric)]
    of_maps = tuple(name for name in setup.metrics if name not in asking)
    return [of_maps, *((name,) for name in asking)]


class Recalled(Explainer):
    """Another explainer, which works once and gives the same map whenever it is asked again.

    Metrics of stability and sanity ask tens of times; how often is all that a forecast needs.

    Args:
        explainer: What is asked the first time.
    """

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer
        self.asked = 0  # images, as a metric may ask about several at once
        self._map: Attribution | None = None

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        self.asked += len(images)
        if self._map is None:
            self._map = self.explainer.attribute(model, images, targets, context)
        if len(images) == 1:
            return self._map
        return Attribution(self._map.values.expand(len(images), -1, -1))


def add_repetitions(row: ScoreRow, answer: Answer, times: int) -> ScoreRow:
    """A metric's row with what its explainer takes when it is asked so many times more."""
    return replace(
        row,
        metric_forwards=row.metric_forwards + times * answer.forwards,
        metric_backwards=row.metric_backwards + times * answer.backwards,
        metric_seconds=row.metric_seconds + times * answer.seconds,
    )


def work_of_explainer(name: str, answers: Sequence[Answer], speed: Speed) -> Work:
    """What it took on the stand-in, and what its passes take on the model."""
    passes = [
        speed.seconds(answer.forwards, answer.backwards, answer.batch_size) for answer in answers
    ]
    return Work(
        name,
        False,
        forwards=sum(answer.forwards for answer in answers),
        backwards=sum(answer.backwards for answer in answers),
        seconds=sum((answer.seconds for answer in answers), sum(passes, 0.0)),
        fault=next((answer.reason for answer in answers if answer.status == "failed"), ""),
    )


def work_of_metric(name: str, rows: Sequence[ScoreRow], speed: Speed) -> Work:
    """What a metric took over all explainers, and what its passes take on the model."""
    passes = [
        speed.seconds(row.metric_forwards, row.metric_backwards, speed.batch_size) for row in rows
    ]
    fault = next((row.reason for row in rows if row.reason.startswith(OF_METRIC)), "")
    return Work(
        name,
        True,
        forwards=sum(row.metric_forwards for row in rows),
        backwards=sum(row.metric_backwards for row in rows),
        seconds=sum((row.metric_seconds for row in rows), sum(passes, 0.0)),
        fault=fault if rows else UNKNOWN_TRUTH,
    )


def speed_of(model: Model, images: Float[Tensor, "1 c h w"], batch_size: int) -> Speed:
    """Times passes of one image and of a batch."""
    many = images.expand(batch_size, -1, -1, -1)
    returning = many[:MOST_RETURNING]
    single, batch, forward = (len(x) / max(rate(model, x), 1e-9) for x in (images, many, returning))
    back = max(there_and_back(model, returning) - forward, 0.0) / len(returning)
    return Speed(batch_size, single, batch, back)


@torch.no_grad()
def rate(model: Model, images: Float[Tensor, "b c h w"]) -> float:
    """Images per second, forwards, after a pass that is not timed."""
    model(images)
    return images_per_second(model, images, clock_of)


def there_and_back(model: Model, images: Float[Tensor, "b c h w"]) -> float:
    """Seconds of a forward pass and the gradient of its images."""
    seconds = []
    for _ in range(REPEATS):
        start = clock_of(images.device)
        leaves = images.clone().requires_grad_()
        torch.autograd.grad(model(leaves)[:, 0].sum(), leaves)
        seconds.append(clock_of(images.device) - start)
    return min(seconds)


def stand_in(model: Model, images: Float[Tensor, "1 c h w"], n_classes: int) -> Model:
    """A small network for the same images and classes; a plain function for a plain function."""
    channels, height, width = images.shape[1:]
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.AdaptiveAvgPool2d((min(COARSE, height), min(COARSE, width))),
            nn.Conv2d(channels, 4, 1),
            nn.SiLU(),  # not linear and not the same everywhere: maps differ as they would
            nn.Flatten(),
            nn.LazyLinear(n_classes),
        )
        network = network.eval().to(images)
        network(images)  # tells the last layer its size
    return network if isinstance(model, nn.Module) else lambda x: network(x)
