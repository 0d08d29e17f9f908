"""``measure``: how far the maps of ``explain`` can be believed."""

import torch

from cellxai.explain.base import Attribution, Case, Context
from cellxai.explain.benchmark.items import ReadyItem
from cellxai.explain.benchmark.judge import (
    NO_TARGET,
    Explanation,
    answer_of,
    is_applicable,
    row_without_score,
    score_row,
)
from cellxai.explain.benchmark.plan import Task, measures_of
from cellxai.explain.cost import frozen
from cellxai.explain.metrics.probing import Remembering
from cellxai.explain.my_model.explanation import Subject
from cellxai.explain.my_model.explanations import Explanations
from cellxai.explain.my_model.measured import Measured
from cellxai.explain.my_model.naming import DEFAULT_METRICS, Metrics, metrics_by_name
from cellxai.explain.my_model.reading import ReadModel
from cellxai.explain.my_model.regions import Regions, regions_of_images
from cellxai.explain.my_model.untouched import untouched
from cellxai.explain.precision import float32_products
from cellxai.explain.results.rows import Answer, ScoreRow
from cellxai.explain.results.score_arrays import Results


def measure(
    explanations: Explanations,
    metrics: Metrics = DEFAULT_METRICS,
    *,
    regions: Regions | None = None,
) -> Measured:
    """Scores of every map under every metric, and per explainer their mean with an interval.

    The model must be as it was when it was explained; it is left so.

    Args:
        explanations: What ``explain`` gave back.
        metrics: Names such as ``"deletion, insertion"``, instances, or both.
            ``cellxai.explain.catalogue.every_metric`` has all names.
        regions: Known regions by name, such as ``{"cells": masks}`` with a mask for each image.
            Names of metrics are then also ``mass in cells``, ``pointing at cells`` and so on.

    Raises:
        ValueError: If a name is unknown, or a mask does not fit its image.
        TypeError: If a metric is something else.
    """
    judges = metrics_by_name(metrics, regions or ())
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        untouched(explanations.model.model),
        float32_products("exact"),
    ):
        images = [subject.image for subject in explanations.subjects]
        known = regions_of_images(regions, images)
        rows: list[ScoreRow] = []
        answers: list[Answer] = []
        lacking: set[tuple[str, str]] = set()
        for subject, truth in zip(explanations.subjects, known, strict=True):
            item = make_item(explanations.model, subject, truth)
            applicable = {n: j for n, j in judges.items() if is_applicable(j, item.case.truth)}
            lacking |= {(subject.name, name) for name in judges if name not in applicable}
            for entry in (entry for entry in explanations if entry.subject is subject):
                explainer = explanations.explainers[entry.explainer]
                for seed, run in zip(explanations.seeds, entry.runs, strict=True):
                    task = Task(entry.explainer, seed, tuple(applicable))
                    answer = answer_to(item, task, run)
                    answers.append(answer)
                    if run.status == "failed":
                        rows += [row_without_score(answer, name) for name in applicable]
                        continue
                    judged = Explanation(item.with_seed(seed), explainer, run, answer)
                    with frozen(item.case.model):
                        rows += [score_row(judged, name, j) for name, j in applicable.items()]
    controls = {name for name, one in explanations.explainers.items() if one.is_control}
    described = {measure.metric: measure for measure in measures_of(judges)}
    return Measured(Results(rows, answers, described, frozenset(lacking), frozenset(controls)))


def make_item(model: ReadModel, subject: Subject, truth: dict[str, torch.Tensor]) -> ReadyItem:
    """An explained image as metrics are asked about it, with what the explainers were given."""
    lazy = subject.context
    context = Context(lazy.superpixels, lazy.baseline, 0, lazy.batch_size)
    targets = torch.tensor([subject.target], device=subject.image.device)
    known = {name: region[None] for name, region in truth.items()}
    judged = model.judged(subject.image)
    case = Case(judged, subject.image[None], targets, context, known)
    return ReadyItem(subject.name, case, Remembering(judged))


def answer_to(item: ReadyItem, task: Task, run: Attribution) -> Answer:
    """An attribution as a store keeps it."""
    if run.status == "failed":
        return Answer(item.id, task.explainer, task.seed, NO_TARGET, "failed", run.reason)
    return answer_of(item, task, run)
