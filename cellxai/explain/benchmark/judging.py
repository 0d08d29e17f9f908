"""One attribution under several metrics; what stops with an error is a row that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.batch_size import clock_of
from cellxai.explain.benchmark.items import Case
from cellxai.explain.benchmark.plan import Judge, Task
from cellxai.explain.cost import attribute_with_cost, frozen
from cellxai.explain.metrics.base import Metric, Truth, is_degenerate
from cellxai.explain.metrics.probing import part_means
from cellxai.explain.results.rows import Answer, Row
from cellxai.explain.status import Status

OF_METRIC = "metric: "  # how the reason of a row begins where the map itself is well
NO_TARGET = -1  # of an attribution that was never made


@dataclass(frozen=True)
class Judged:
    """All that is written of one attribution.

    Args:
        answer: Its cost, its worth, and its evidence; None where no metric can judge it.
        rows: Its scores.
        inapplicable: The image with each metric whose truth is not known of it.
    """

    answer: Answer | None
    rows: tuple[Row, ...] = ()
    inapplicable: tuple[tuple[str, str], ...] = ()


class Metered(Explainer):
    """Another explainer, and what it costs to ask it again.

    Args:
        explainer: What is asked.
    """

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer
        self.forwards = 0
        self.backwards = 0

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        attribution = attribute_with_cost(self.explainer, model, images, targets, context)
        self.forwards += attribution.cost.forwards
        self.backwards += attribution.cost.backwards
        return attribution


def judged(
    case: Case, task: Task, explainers: Mapping[str, Explainer], metrics: Mapping[str, Judge]
) -> Judged:
    """Explains an image and asks the metrics what the map is worth."""
    names = [name for name in task.metrics if applies(metrics[name], case.truth)]
    lacking = tuple((case.id, name) for name in task.metrics if name not in names)
    if not names:
        return Judged(None, (), lacking)
    explainer, context = explainers[task.explainer], case.with_seed(task.seed)
    try:
        attribution = attribute_with_cost(explainer, case.model, case.images, case.targets, context)
    except Exception as error:
        nothing = failed(case.id, task._replace(metrics=tuple(names)), in_words(error))
        return replace(nothing, inapplicable=lacking)
    answer = answer_of(case, task, attribution)
    with frozen(case.model):
        rows = [
            _row(case, answer, name, metrics[name], explainer, attribution, context)
            for name in names
        ]
    return Judged(answer, tuple(rows), lacking)


def applies(metric: Judge, truth: Truth) -> bool:
    """Whether what is known of the image suffices; an error shows again in the metric's row."""
    try:
        return metric.applies_to(truth)
    except Exception:
        return True


def failed(image: str, task: Task, reason: str) -> Judged:
    """What is written of an image that could not be made ready."""
    answer = Answer(image, task.explainer, task.seed, NO_TARGET, "failed", reason)
    rows = [_scored(answer, metric, "failed", reason) for metric in task.metrics]
    return Judged(answer, tuple(rows))


def answer_of(case: Case, task: Task, attribution: Attribution) -> Answer:
    """An attribution as it is kept."""
    cost, degenerate = attribution.cost, bool(is_degenerate(attribution.values))
    means = part_means(attribution.values, case.context.superpixels)[0]
    return Answer(
        case.id,
        task.explainer,
        task.seed,
        int(case.targets),
        attribution.status,
        attribution.reason,
        cost.forwards,
        cost.backwards,
        cost.seconds,
        cost.peak_bytes,
        cost.batch_size,
        cost.dtype,
        _number(attribution.surrogate_r2),
        _number(attribution.ranking_stability),
        _number(attribution.completeness_gap),
        None if degenerate else means.double().cpu().numpy(),
    )


def _row(
    case: Case,
    answer: Answer,
    name: str,
    metric: Judge,
    explainer: Explainer,
    attribution: Attribution,
    context: Context,
) -> Row:
    """The score of one metric with what it took."""
    again, asked = Metered(explainer), case.remembering.forwards
    about = case.images, case.targets, attribution, context, case.truth
    start = clock_of(case.images.device)
    try:
        if isinstance(metric, Metric):
            value = metric.score(case.remembering, *about).item()
        else:
            value = metric.score(again, case.model, *about).item()
        chance = _number(metric.chance(case.truth))
    except Exception as error:
        return _scored(answer, name, "failed", OF_METRIC + in_words(error))
    return _scored(
        answer,
        name,
        answer.status,
        answer.reason,
        value,
        chance,
        case.remembering.forwards - asked + again.forwards,
        again.backwards,
        clock_of(case.images.device) - start,
    )


def _scored(
    answer: Answer,
    metric: str,
    status: Status,
    reason: str,
    value: float = np.nan,
    chance: float = np.nan,
    forwards: int = 0,
    backwards: int = 0,
    seconds: float = 0.0,
) -> Row:
    return Row(
        answer.image,
        answer.explainer,
        metric,
        answer.seed,
        value,
        chance,
        status,
        reason,
        answer.forwards,
        answer.backwards,
        answer.seconds,
        forwards,
        backwards,
        seconds,
    )


def in_words(error: Exception) -> str:
    """An error in one line, with its kind."""
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"


def _number(values: Float[Tensor, " b"] | None) -> float:
    """Of a batch of one; NaN where there is nothing."""
    return np.nan if values is None else float(values)
