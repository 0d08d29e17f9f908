"""The benchmark: images × explainers × metrics × seeds, resumable at every moment."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Explainer, Model, context_of
from cellxai.explain.baselines import Baseline
from cellxai.explain.cost import frozen, measured
from cellxai.explain.instance_superpixels import known_instances
from cellxai.explain.metrics.base import Metric, Truth
from cellxai.explain.provenance import described, fingerprint, model_fingerprint
from cellxai.explain.store import Key, Row, Store
from cellxai.explain.superpixels import Superpixels


@dataclass(frozen=True)
class Item:
    """One image to explain.

    Args:
        id: Unique in the benchmark.
        image: In [0, 1], on the device of the model.
        target: The class to explain.
        truth: Regions known beforehand by name, such as ``cells`` or ``cause``.
    """

    id: str
    image: Float[Tensor, "c h w"]
    target: int
    truth: Mapping[str, Bool[Tensor, "h w"]] = field(default_factory=dict)

    @property
    def batched_truth(self) -> Truth:
        """The regions as a batch of one."""
        return {name: region[None] for name, region in self.truth.items()}

    @property
    def fingerprint(self) -> str:
        """Of image, target and truth: whether results of this id are still its own."""
        return fingerprint({"image": self.image, "target": torch.tensor(self.target), **self.truth})


@dataclass(frozen=True)
class Progress:
    """How far a benchmark is, after each attribution.

    Args:
        done: Attributions made and judged, by this start.
        total: Attributions that were missing when it started.
        image: Of the last one.
        explainer: Of the last one.
        seed: Of the last one.
    """

    done: int
    total: int
    image: str
    explainer: str
    seed: int


def run_benchmark(
    model: Model,
    items: Sequence[Item],
    explainers: Mapping[str, Explainer],
    metrics: Mapping[str, Metric],
    superpixels: Superpixels,
    baseline: Baseline,
    store: Store,
    seeds: Sequence[int] = (0,),
    batch_size: int = 32,
) -> Iterator[Progress]:
    """Computes what is missing, row by row; nothing happens until it is iterated.

    Stop it at any moment, by closing the iterator or by killing the process: the next start goes on
    after the last attribution that was judged.

    Args:
        model: Images in [0, 1] to logits; explained frozen and in evaluation mode.
        items: Gone through three times and never held, so a sequence that loads lazily keeps one
            image in memory.
        explainers: By the name that the results bear.
        metrics: By the name that the results bear.
        superpixels: Shared by all explainers and metrics.
        baseline: Shared by all explainers and metrics.
        store: Where the rows go, and where finished ones are found.
        seeds: Of the explainers; every explainer runs once for each.
        batch_size: Images per forward pass at most.

    Yields:
        Progress after each attribution, when its rows are on disk.

    Raises:
        ValueError: If two items share an id, or if the store holds results of the same names made
            with other settings, another model or other images.
    """
    store.bind(_settings(model, items, explainers, metrics, superpixels, baseline))
    tasks = _tasks(store.missing(planned_keys(items, explainers, metrics, seeds)))
    total, done = sum(map(len, tasks.values())), 0
    for item in items:
        if item.id not in tasks:
            continue
        instances = known_instances(item.truth)
        context = context_of(item.image[None], superpixels, baseline, 0, batch_size, instances)
        for (explainer, seed), keys in tasks[item.id].items():
            wanted = {key: metrics[key.metric] for key in keys}
            seeded = replace(context, seed=seed)
            store.write(_judged(explainers[explainer], wanted, model, item, seeded))
            done += 1
            yield Progress(done, total, item.id, explainer, seed)


def planned_keys(
    items: Sequence[Item],
    explainers: Mapping[str, Explainer],
    metrics: Mapping[str, Metric],
    seeds: Sequence[int],
) -> list[Key]:
    """Every row of a whole benchmark, those of one attribution side by side.

    Metrics that need a truth which an item lacks are left out; a summary counts them as missing.
    """
    return [
        Key(item.id, explainer, metric, seed)
        for item in items
        for seed, explainer, metric in product(seeds, explainers, _applicable(metrics, item))
    ]


def _applicable(metrics: Mapping[str, Metric], item: Item) -> list[str]:
    return [name for name, metric in metrics.items() if metric.applies_to(item.batched_truth)]


def _tasks(keys: Sequence[Key]) -> dict[str, dict[tuple[str, int], list[Key]]]:
    """The keys that share an attribution, by image, then by explainer and seed."""
    tasks: dict[str, dict[tuple[str, int], list[Key]]] = {}
    for key in keys:
        tasks.setdefault(key.image, {}).setdefault((key.explainer, key.seed), []).append(key)
    return tasks


def _judged(
    explainer: Explainer,
    metrics: Mapping[Key, Metric],
    model: Model,
    item: Item,
    context: Context,
) -> list[Row]:
    """One attribution under several metrics."""
    images, truth = item.image[None], item.batched_truth
    targets = torch.tensor([item.target], device=images.device)
    attribution = measured(explainer, model, images, targets, context)
    rows = []
    with frozen(model):
        for key, metric in metrics.items():
            score = metric.score(model, images, targets, attribution, context, truth)
            chance = metric.chance(truth)
            chance_value = math.nan if chance is None else chance.item()
            rows.append(_row(key, score.item(), chance_value, attribution))
    return rows


def _row(key: Key, value: float, chance: float, attribution: Attribution) -> Row:
    cost = attribution.cost
    return Row(
        *key,
        value=value,
        chance=chance,
        status=attribution.status,
        reason=attribution.reason,
        forwards=cost.forwards,
        backwards=cost.backwards,
        seconds=cost.seconds,
    )


def _settings(
    model: Model,
    items: Sequence[Item],
    explainers: Mapping[str, Explainer],
    metrics: Mapping[str, Metric],
    superpixels: Superpixels,
    baseline: Baseline,
) -> dict[str, str]:
    """All that a row depends on besides its key, by the name that an error would give it."""
    parts = {"superpixels": superpixels, "baseline": baseline}
    parts |= {f"explainer '{name}'": explainer for name, explainer in explainers.items()}
    parts |= {f"metric '{name}'": metric for name, metric in metrics.items()}
    settings = {"model": model_fingerprint(model)}
    settings |= {name: described(part) for name, part in parts.items()}
    settings |= {f"direction of '{name}'": metric.direction for name, metric in metrics.items()}
    for item in items:
        name = f"image '{item.id}'"
        if name in settings:
            raise ValueError(f"two images have the id '{item.id}'; ids must be unique")
        settings[name] = item.fingerprint
    return settings
