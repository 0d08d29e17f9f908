"""What a benchmark is asked, and what one process has to do for the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellxai.adapters.explained_score import ScoreName, attach_score, name_of
from cellxai.explain.base import Explainer
from cellxai.explain.baselines import Baseline
from cellxai.explain.benchmark import Item, Setup
from cellxai.explain.benchmark.plan import Judge
from cellxai.explain.benchmark.shards import Shard
from cellxai.explain.catalogue import standard_metrics
from cellxai.explain.precision import Precision
from cellxai.explain.score import Score
from cellxai.explain.superpixels.base import Superpixels
from cellxai.trained.run import load_run
from cellxai.training.settings import Device
from cellxai.verbs.benchmark.run_images import RunItems, SceneTruth


@dataclass(frozen=True, kw_only=True)
class Question:
    """The arguments of ``benchmark``, which describes them, as one value.

    Only ``metrics`` may be None still: the standard ones depend on the images.
    """

    run: Path
    explainers: Mapping[str, Explainer]
    metrics: Mapping[str, Judge] | None
    superpixels: Superpixels
    baseline: Baseline
    truth: SceneTruth | None
    images_per_class: int | None
    part: str | None
    score: ScoreName | Score
    seeds: tuple[int, ...]
    batch_size: int | None
    device: Device
    precision: Precision
    shard: str | None
    retry_failed: bool


@dataclass(frozen=True)
class Assignment:
    """What one process has to do.

    Args:
        question: What was asked.
        share: The images of this process, as a share of all.
        setup: What judges what.
        items: Its images.
        path: Where its results go.
        superpixels_folder: Where the run keeps superpixels that were computed once.
    """

    question: Question
    share: Shard
    setup: Setup
    items: Sequence[Item]
    path: Path
    superpixels_folder: Path

    @property
    def score(self) -> str:
        """The name of what is explained."""
        return name_of(self.question.score)


def assign(question: Question, share: Shard) -> Assignment:
    """Loads the run, and picks the images of one process.

    Raises:
        FileNotFoundError: If a density is to be explained and the run has none.
    """
    trained, name = load_run(question.run, question.device), name_of(question.score)
    model = trained.classifier
    if name != "logit":
        model = attach_score(trained, question.score).model
    items = RunItems(trained, question.part, question.images_per_class, question.truth, model)
    setup = Setup(
        model,
        question.explainers,
        question.metrics or standard_metrics(regions_of(items)),
        question.superpixels,
        question.baseline,
        question.seeds,
        question.precision,
    )
    return Assignment(
        question,
        share,
        setup,
        items=share.of_items(items),
        path=trained.folder.benchmark_of(name) / share.file,
        superpixels_folder=trained.folder.explain / "superpixels",
    )


def regions_of(items: RunItems) -> set[str]:
    """Regions that are known of some image, by what its data set says without reading them."""
    records = items.trained.images.records(items.part)
    known = {
        "cells": any(record.load_mask is not None for record in records),
        "cause": any(record.load_cause is not None for record in records),
    }
    return {name for name, there in known.items() if there}
