"""One attribution under several metrics; what stops with an error is a row that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Explainer, Model, Truth
from cellxai.explain.batch_size import clock_of
from cellxai.explain.benchmark.items import ReadyItem
from cellxai.explain.benchmark.plan import Judge, Task
from cellxai.explain.cost import attribute_with_cost, frozen
from cellxai.explain.metrics.base import Metric, applies, chance_level, is_degenerate
from cellxai.explain.metrics.probing import part_means
from cellxai.explain.precision import float32_products
from cellxai.explain.results.rows import Answer, ScoreRow

OF_METRIC = "metric: "  # how the reason of a row begins where the map itself is well
NO_TARGET = -1  # of an attribution that was never made


@dataclass(frozen=True)
class Judgement:
    """All that is written of one attribution.

    Args:
        answer: Its cost, its worth, and its evidence; None where no metric can judge it.
        rows: Its scores.
        inapplicable: The image with each metric whose truth is not known of it.
    """

    answer: Answer | None
    rows: tuple[ScoreRow, ...] = ()
    inapplicable: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Explanation:
    """An attribution, and all that metrics may ask about it.

    Args:
        item: The explained image, under the seed of the attribution.
        explainer: What answered.
        attribution: Its answer.
        answer: The same as it is kept.
    """

    item: ReadyItem
    explainer: Explainer
    attribution: Attribution
    answer: Answer


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


def judge(
    item: ReadyItem,
    task: Task,
    explainers: Mapping[str, Explainer],
    metrics: Mapping[str, Judge],
) -> Judgement:
    """Explains an image and asks the metrics what the map is worth."""
    truth = item.case.truth
    names = tuple(name for name in task.metrics if is_applicable(metrics[name], truth))
    lacking = tuple((item.id, name) for name in task.metrics if name not in names)
    if not names:
        return Judgement(None, (), lacking)
    explainer, seeded = explainers[task.explainer], item.with_seed(task.seed)
    case = seeded.case
    try:
        attribution = attribute_with_cost(
            explainer, case.model, case.images, case.targets, case.context
        )
    except Exception as error:
        failure = judge_failure(item.id, task._replace(metrics=names), error_line(error))
        return replace(failure, inapplicable=lacking)
    answer = answer_of(item, task, attribution)
    explanation = Explanation(seeded, explainer, attribution, answer)
    with frozen(case.model), float32_products(case.context.precision):
        rows = tuple(score_row(explanation, name, metrics[name]) for name in names)
    return Judgement(answer, rows, lacking)


def is_applicable(metric: Judge, truth: Truth) -> bool:
    """Whether what is known of the image suffices; an error shows again in the metric's row."""
    try:
        return applies(metric, truth)
    except Exception:
        return True


def judge_failure(image: str, task: Task, reason: str) -> Judgement:
    """What is written where an image could not be made ready, or not be explained."""
    answer = Answer(image, task.explainer, task.seed, NO_TARGET, "failed", reason)
    return Judgement(answer, tuple(row_without_score(answer, name) for name in task.metrics))


def answer_of(item: ReadyItem, task: Task, attribution: Attribution) -> Answer:
    """An attribution as it is kept."""
    cost, degenerate = attribution.cost, bool(is_degenerate(attribution.values))
    means = part_means(attribution.values, item.case.context.superpixels)[0]
    return Answer(
        image=item.id,
        explainer=task.explainer,
        seed=task.seed,
        target=int(item.case.targets),
        status=attribution.status,
        reason=attribution.reason,
        forwards=cost.forwards,
        backwards=cost.backwards,
        seconds=cost.seconds,
        peak_bytes=cost.peak_bytes,
        batch_size=cost.batch_size,
        dtype=cost.dtype,
        surrogate_r2=_number(attribution.surrogate_r2),
        ranking_stability=_number(attribution.ranking_stability),
        completeness_gap=_number(attribution.completeness_gap),
        evidence=None if degenerate else means.double().cpu().numpy(),
    )


def score_row(explanation: Explanation, name: str, metric: Judge) -> ScoreRow:
    """The score of one metric with what it took."""
    item, attribution = explanation.item, explanation.attribution
    case, remembering = item.case, item.remembering
    again, asked = Metered(explanation.explainer), remembering.forwards
    row = row_without_score(explanation.answer, name)
    start = clock_of(case.images.device)
    try:
        if isinstance(metric, Metric):
            value = metric.score(case.with_model(remembering), attribution).item()
        else:
            value = metric.score(again, case, attribution).item()
        chance = _number(chance_level(metric, case.truth))
    except Exception as error:
        return replace(row, status="failed", reason=OF_METRIC + error_line(error))
    return replace(
        row,
        value=value,
        chance=chance,
        metric_forwards=remembering.forwards - asked + again.forwards,
        metric_backwards=again.backwards,
        metric_seconds=clock_of(case.images.device) - start,
    )


def row_without_score(answer: Answer, metric: str) -> ScoreRow:
    """The row of an attribution under a metric that has not judged it."""
    return ScoreRow(
        image=answer.image,
        explainer=answer.explainer,
        metric=metric,
        seed=answer.seed,
        value=np.nan,
        chance=np.nan,
        status=answer.status,
        reason=answer.reason,
        forwards=answer.forwards,
        backwards=answer.backwards,
        seconds=answer.seconds,
    )


def error_line(error: Exception) -> str:
    """An error in one line, with its kind."""
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"


def _number(values: Float[Tensor, " b"] | None) -> float:
    """The value of a batch of one; NaN where there is nothing."""
    return np.nan if values is None else float(values)
