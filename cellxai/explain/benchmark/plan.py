"""What a benchmark has to do: its settings, its keys, and which attributions are missing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from cellxai.explain.base import Explainer, Model
from cellxai.explain.baselines import Baseline
from cellxai.explain.benchmark.items import Item
from cellxai.explain.metrics.base import ExplainerMetric, Metric
from cellxai.explain.precision import Precision
from cellxai.explain.provenance import identify_model
from cellxai.explain.results.rows import Key, Measure
from cellxai.explain.superpixels.base import Superpixels
from cellxai.files.identity import describe_with_code

Judge = Metric | ExplainerMetric


class Task(NamedTuple):
    """One attribution to make, and the metrics that it lacks."""

    explainer: str
    seed: int
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Setup:
    """What judges what, by the names that the results bear.

    Args:
        model: Images in [0, 1] to scores.
        explainers: What is judged.
        metrics: What judges.
        superpixels: Shared by all explainers and metrics.
        baseline: Shared by all explainers, and by metrics without one of their own.
        seeds: Every explainer runs once with each.
        precision: With how many digits a CUDA device multiplies float32 numbers.
    """

    model: Model
    explainers: Mapping[str, Explainer]
    metrics: Mapping[str, Judge]
    superpixels: Superpixels
    baseline: Baseline
    seeds: Sequence[int] = (0,)
    precision: Precision = "exact"

    def settings(self) -> dict[str, str]:
        """All that a row depends on besides its key, by the name that an error would give it."""
        parts = {"superpixels": self.superpixels, "baseline": self.baseline}
        parts |= {f"explainer '{name}'": explainer for name, explainer in self.explainers.items()}
        parts |= {f"metric '{name}'": metric for name, metric in self.metrics.items()}
        texts = {name: describe_with_code(part) for name, part in parts.items()}
        texts |= {
            f"control '{name}'": "yes" if explainer.is_control else "no"
            for name, explainer in self.explainers.items()
        }
        return {"model": identify_model(self.model), "precision": self.precision} | texts

    def measures(self) -> list[Measure]:
        """What the metrics say of themselves."""
        return measures_of(self.metrics)


def measures_of(metrics: Mapping[str, Judge]) -> list[Measure]:
    """What metrics say of themselves, under their names."""
    return [
        Measure(name, metric.name, metric.family, metric.direction, *metric.range, metric.paper)
        for name, metric in metrics.items()
    ]


def survey(items: Sequence[Item], tell: Callable[[str], None]) -> dict[str, tuple[int, str]]:
    """Index and identity of each image, by its id; one that cannot be loaded is left out.

    Args:
        items: Loaded one after the other and not held.
        tell: Told of each image that is left out.

    Raises:
        ValueError: If two images share an id.
    """
    images: dict[str, tuple[int, str]] = {}
    for index in range(len(items)):
        try:
            item = items[index]
        except (ValueError, OSError) as error:
            tell(f"image {index + 1} of {len(items)} left out: {error}")
            continue
        if item.id in images:
            raise ValueError(f"two images have the id '{item.id}'; ids must be unique")
        images[item.id] = (index, item.identity)
    return images


def planned_keys(
    images: Iterable[str], explainers: Iterable[str], metrics: Iterable[str], seeds: Iterable[int]
) -> list[Key]:
    """Every row of a whole benchmark, those of one attribution side by side."""
    everything = product(images, seeds, explainers, metrics)
    return [Key(image, explainer, metric, seed) for image, seed, explainer, metric in everything]


def tasks_of(keys: Sequence[Key]) -> dict[str, list[Task]]:
    """The attributions that keys need, by image."""
    metrics: dict[tuple[str, str, int], list[str]] = {}
    for key in keys:
        metrics.setdefault((key.image, key.explainer, key.seed), []).append(key.metric)
    tasks: dict[str, list[Task]] = {}
    for (image, explainer, seed), names in metrics.items():
        tasks.setdefault(image, []).append(Task(explainer, seed, tuple(names)))
    return tasks
